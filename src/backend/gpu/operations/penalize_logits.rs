//! Penalties for logits that are computed already: `shaders/penalize_logits.wgsl`.

use super::sample::LOGIT_BLOCK;
use crate::backend::gpu::recorder::Recorder;
use crate::backend::gpu::shaders::Variant;

/// Penalises a row of logits, and finds the largest of each block, as [`Sample`](super::Sample) wants it.
pub struct PenalizeLogits<'a> {
    /// [`SamplingSettings`](super::SamplingSettings).
    pub settings: &'a wgpu::Buffer,
    /// u32 `[vocabulary]`: which tokens occurred, and how often.
    pub occurrences: &'a wgpu::Buffer,
    /// f32 `[vocabulary]`, rewritten.
    pub logits: &'a wgpu::Buffer,
    /// f32 `[vocabulary / LOGIT_BLOCK]`, rounded up, written.
    pub block_maxima: &'a wgpu::Buffer,
    /// Tokens in the vocabulary.
    pub vocabulary: usize,
}

impl PenalizeLogits<'_> {
    /// Appends one dispatch.
    pub fn record(&self, recorder: &mut Recorder) {
        const BLOCKS_PER_WORKGROUP: usize = 8;
        recorder.dispatch(
            &Self::variant(self.vocabulary),
            &[(0, self.settings), (1, self.occurrences), (2, self.logits), (3, self.block_maxima)],
            [self.vocabulary.div_ceil(BLOCKS_PER_WORKGROUP * LOGIT_BLOCK), 1, 1],
            0,
        );
    }

    /// The kernel for a vocabulary.
    pub fn variant(vocabulary: usize) -> Variant {
        Variant::new("penalize_logits", vec![("VOCABULARY", vocabulary.into()), ("BLOCK", LOGIT_BLOCK.into())])
    }
}
