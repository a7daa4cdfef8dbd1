//! Looking up token embeddings: `shaders/embed.wgsl`.

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
}

impl Embed<'_> {
    /// Appends one dispatch for each shard of the table.
    pub fn record(&self, recorder: &mut Recorder) {
        for shard in &self.table.shards {
            recorder.dispatch(
                &Self::variant(self.table.tensor_type, self.table.columns, shard.first_row, shard.rows),
                &[(0, &shard.buffer), (1, self.tokens), (2, self.residual)],
                [(self.table.columns / 4).div_ceil(64), self.token_count, 1],
                0,
            );
        }
    }

    /// The kernel for a shard of `rows` rows.
    pub fn variant(format: TensorType, columns: usize, first_row: usize, rows: usize) -> Variant {
        let constants = vec![("COLUMNS", columns.into()), ("FIRST_ROW", first_row.into()), ("ROWS", rows.into())];
        Variant { format: Some(format), ..Variant::new("embed", constants) }
    }
}
