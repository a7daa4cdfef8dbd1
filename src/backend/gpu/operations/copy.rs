//! Memory to memory: `shaders/copy.wgsl`.

use crate::backend::gpu::recorder::Recorder;
use crate::backend::gpu::shaders::Variant;

/// destination = source.
pub struct Copy<'a> {
    /// u32 `[vectors, 4]`.
    pub source: &'a wgpu::Buffer,
    /// u32 `[vectors, 4]`.
    pub destination: &'a wgpu::Buffer,
    /// Vectors of four words, at most 65535 * 256.
    pub vectors: usize,
}

impl Copy<'_> {
    /// Appends one dispatch.
    pub fn record(&self, recorder: &mut Recorder) {
        recorder.dispatch(
            &Self::variant(self.vectors),
            &[(0, self.source), (1, self.destination)],
            [self.vectors.div_ceil(256), 1, 1],
            0,
        );
    }

    /// The kernel for so many vectors.
    pub fn variant(vectors: usize) -> Variant {
        Variant::new("copy", vec![("VECTORS", vectors.into())])
    }
}
