//! Merging what the splits of a KV cache contributed: `shaders/attention_reduce.wgsl`.

use super::attention_decode::SPLIT_POSITIONS;
use crate::backend::Dimensions;
use crate::backend::gpu::recorder::Recorder;
use crate::backend::gpu::shaders::Variant;

/// output = the partial results of [`AttentionDecode`](super::AttentionDecode), merged.
pub struct AttentionReduce<'a> {
    /// The pass: where its token stands, and so how many splits there are.
    pub step: &'a wgpu::Buffer,
    /// f32 `[splits, heads, head_dim + 2]`: values weighted relative to the split's maximum, that maximum, and the sum
    /// of the weights.
    pub partials: &'a wgpu::Buffer,
    /// f32 `[heads, head_dim]`, written.
    pub output: &'a wgpu::Buffer,
    /// The shape.
    pub dimensions: &'a Dimensions,
}

impl AttentionReduce<'_> {
    /// Appends one dispatch.
    pub fn record(&self, recorder: &mut Recorder) {
        recorder.dispatch(
            &Self::variant(self.dimensions),
            &[(0, self.step), (1, self.partials), (2, self.output)],
            [self.dimensions.heads * self.dimensions.head_dim / 64, 1, 1],
            0,
        );
    }

    /// The kernel for a model's shape.
    pub fn variant(dimensions: &Dimensions) -> Variant {
        Variant::new(
            "attention_reduce",
            vec![
                ("HEADS", dimensions.heads.into()),
                ("HEAD_DIM", dimensions.head_dim.into()),
                ("SPLIT_POSITIONS", SPLIT_POSITIONS.into()),
            ],
        )
    }
}
