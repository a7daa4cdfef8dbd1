//! Looking up token embeddings: `shaders/embed.wgsl`.

use super::Weighed;
use crate::backend::gpu::recorder::Recorder;
use crate::backend::gpu::shaders::Variant;
use crate::backend::gpu::tensor::Tensor;
use crate::gguf::TensorType;

/// residual = the rows of `table` that `tokens` name.
pub struct Embed<'a> {
    /// `[vocabulary, columns]`, quantised.
    pub table: &'a Tensor,
    /// u32 `[token_count]`, each below the rows of the table.
    pub tokens: &'a wgpu::Buffer,
    /// How many tokens.
    pub token_count: usize,
    /// f32 `[token_count, columns]`, written.
    pub residual: &'a wgpu::Buffer,
    /// The first norm: f32 `[columns]`.
    pub norm: &'a wgpu::Buffer,
    /// Of the first token, written.
    pub weighed: Weighed<'a>,
}

impl Embed<'_> {
    /// Appends one dispatch for every two shards of the table.
    pub fn record(&self, recorder: &mut Recorder) {
        let Tensor { tensor_type, columns, .. } = *self.table;
        recorder.count_weight_bytes(self.token_count as u64 * tensor_type.row_bytes(columns));
        for shards in self.table.shards.chunks(2) {
            // Where there is no second shard, the first one stands in for it, and none of its rows are looked for.
            let (first, second) = (&shards[0], &shards[shards.len() - 1]);
            let second_rows = if shards.len() == 2 { second.rows } else { 0 };
            recorder.dispatch(
                &Self::variant(tensor_type, columns, first.first_row, [first.rows, second_rows]),
                &[
                    (0, &first.buffer),
                    (1, &second.buffer),
                    (2, self.tokens),
                    (3, self.residual),
                    (4, self.norm),
                    (5, self.weighed.row),
                    (6, self.weighed.squares),
                ],
                [(columns / 8).div_ceil(64), self.token_count, 1],
                0,
            );
        }
    }

    /// The kernel for two consecutive shards of so many rows, of which the second may have none.
    pub fn variant(format: TensorType, columns: usize, start: usize, [first, second]: [usize; 2]) -> Variant {
        let constants = vec![
            ("COLUMNS", columns.into()),
            ("START", start.into()),
            ("FIRST_ROWS", first.into()),
            ("SECOND_ROWS", second.into()),
        ];
        Variant { formats: vec![("first", format), ("second", format)], ..Variant::new("embed", constants) }
    }
}
