//! The logits that a token is sampled from: `shaders/head.wgsl`.

use super::Weighed;
use super::lanes::Lanes;
use crate::backend::gpu::recorder::Recorder;
use crate::backend::gpu::shaders::Variant;
use crate::backend::gpu::tensor::Tensor;
use crate::gguf::TensorType;

/// logits = penalised head · rms_norm(residual), for one token.
pub struct Head<'a> {
    /// The penalties, and how many tokens can be chosen: `SamplingSettings`.
    pub settings: &'a wgpu::Buffer,
    /// The residual stream at the last token, weighed for the norm.
    pub input: Weighed<'a>,
    /// What is added to the mean square.
    pub epsilon: f32,
    /// `[vocabulary, columns]`.
    pub weights: &'a Tensor,
    /// u32 `[vocabulary]`: which tokens occurred, and how often.
    pub occurrences: &'a wgpu::Buffer,
    /// f32 `[vocabulary]`, written.
    pub logits: &'a wgpu::Buffer,
    /// f32 `[vocabulary / LOGIT_BLOCK]`, rounded up, written: the largest logit of each block, as `Sample` wants it.
    pub block_maxima: &'a wgpu::Buffer,
}

impl Head<'_> {
    /// Appends one dispatch for each shard of the head.
    pub fn record(&self, recorder: &mut Recorder) {
        let Tensor { tensor_type, columns, .. } = *self.weights;
        recorder.count_weight_bytes(self.weights.device_bytes());
        for shard in &self.weights.shards {
            recorder.dispatch(
                &Self::variant(tensor_type, [shard.rows, columns], shard.first_row, self.epsilon),
                &[
                    (0, self.settings),
                    (1, self.input.row),
                    (2, self.input.squares),
                    (3, &shard.buffer),
                    (4, self.occurrences),
                    (5, self.logits),
                    (6, self.block_maxima),
                ],
                [Lanes::for_head(columns).workgroups(shard.rows), 1, 1],
                (shard.rows * columns) as u64,
            );
        }
    }

    /// The kernel for a shard of `[rows, columns]` from `first_row` on.
    pub fn variant(format: TensorType, [rows, columns]: [usize; 2], first_row: usize, epsilon: f32) -> Variant {
        let mut constants = vec![
            ("ROWS", rows.into()),
            ("FIRST_ROW", first_row.into()),
            ("COLUMNS", columns.into()),
            ("EPSILON", epsilon.into()),
        ];
        constants.extend(Lanes::for_head(columns).constants());
        Variant { formats: vec![("", format)], ..Variant::new("head", constants) }
    }
}
