//! The gate of the feed-forward layer: `shaders/silu_mul.wgsl`.

use crate::backend::gpu::recorder::Recorder;
use crate::backend::gpu::shaders::Variant;

/// gate = silu(gate) * up.
pub struct SiluMul<'a> {
    /// f32 `[tokens, columns]`, rewritten.
    pub gate: &'a wgpu::Buffer,
    /// f32 `[tokens, columns]`.
    pub up: &'a wgpu::Buffer,
    /// How many tokens.
    pub tokens: usize,
    /// Width of a row, a multiple of 4.
    pub columns: usize,
}

impl SiluMul<'_> {
    /// Appends one dispatch.
    pub fn record(&self, recorder: &mut Recorder) {
        recorder.dispatch(
            &Self::variant(self.columns),
            &[(0, self.gate), (1, self.up)],
            [(self.columns / 4).div_ceil(64), self.tokens, 1],
            0,
        );
    }

    /// The kernel for rows of `columns`.
    pub fn variant(columns: usize) -> Variant {
        Variant::new("silu_mul", vec![("COLUMNS", columns.into())])
    }
}
