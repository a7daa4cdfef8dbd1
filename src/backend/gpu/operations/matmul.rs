//! Products with a quantised matrix: `shaders/matvec.wgsl` for one token, `shaders/small_matmul.wgsl` for a few,
//! `shaders/matmul.wgsl` for more.

use super::lanes::Lanes;
use crate::backend::gpu::recorder::Recorder;
use crate::backend::gpu::shaders::{Epilogue, Variant};
use crate::backend::gpu::tensor::{Shard, Tensor};
use crate::gguf::TensorType;

/// The most tokens that `small_matmul.wgsl` computes.
const SMALL_TOKENS: usize = 8;
/// Weight rows that a workgroup of `matmul.wgsl` computes.
const MATMUL_ROWS: usize = 64;
/// Tokens that a workgroup of `matmul.wgsl` computes.
const MATMUL_TOKENS: usize = 32;

/// output = weights · input, for each token, with an epilogue.
pub struct MatMul<'a> {
    /// The pass: its rows are `tokens`.
    pub step: &'a wgpu::Buffer,
    /// `[rows, columns]`, quantised; columns a multiple of 32.
    pub weights: &'a Tensor,
    /// f32 `[tokens, columns]`.
    pub input: &'a wgpu::Buffer,
    /// f32 `[tokens, output_columns]`, of which `rows` columns from `output_offset` on are written.
    pub output: &'a wgpu::Buffer,
    /// Width of an output row.
    pub output_columns: usize,
    /// Where in an output row the first weight row's result goes.
    pub output_offset: usize,
    /// How many tokens.
    pub tokens: usize,
    /// What happens to the results.
    pub epilogue: Epilogue,
    /// f32 `[rows]`, for [`Epilogue::StoreWithBias`].
    pub bias: Option<&'a wgpu::Buffer>,
}

impl MatMul<'_> {
    /// Appends one dispatch for each shard of the weights.
    pub fn record(&self, recorder: &mut Recorder) {
        for shard in &self.weights.shards {
            let mut buffers = vec![(1, &shard.buffer), (2, self.input), (3, self.output)];
            buffers.extend(self.bias.map(|bias| (4, bias)));
            let multiply_adds = (shard.rows * self.weights.columns) as u64 * self.tokens as u64;
            let lanes = Lanes::for_layer(self.weights.columns);
            let (kernel, workgroups) = match self.tokens {
                1 => ("matvec", [lanes.workgroups(shard.rows), 1, 1]),
                ..=SMALL_TOKENS => ("small_matmul", [lanes.workgroups(shard.rows), 1, 1]),
                _ => ("matmul", [shard.rows.div_ceil(MATMUL_ROWS), self.tokens.div_ceil(MATMUL_TOKENS), 1]),
            };
            if self.tokens > 1 {
                buffers.push((0, self.step));
            }
            recorder.count_weight_bytes(shard.buffer.size() * workgroups[1] as u64);
            recorder.dispatch(&self.shard_variant(kernel, shard), &buffers, workgroups, multiply_adds);
        }
    }

    /// The most rows of one shard: a dispatch has a limited number of workgroups.
    pub fn max_shard_rows(limits: &wgpu::Limits) -> usize {
        limits.max_compute_workgroups_per_dimension as usize * Lanes::MIN_LAYER_ROWS
    }

    fn shard_variant(&self, kernel: &'static str, shard: &Shard) -> Variant {
        Self::variant(
            kernel,
            self.weights.tensor_type,
            self.epilogue,
            [shard.rows, self.weights.columns],
            [self.output_columns, self.output_offset + shard.first_row],
        )
    }

    /// The kernel, `"matvec"`, `"small_matmul"` or `"matmul"`, for `[rows, columns]` weights that write to `[columns, offset]` of an output.
    pub fn variant(
        kernel: &'static str,
        format: TensorType,
        epilogue: Epilogue,
        [rows, columns]: [usize; 2],
        [output_columns, output_offset]: [usize; 2],
    ) -> Variant {
        let mut constants = vec![
            ("ROWS", rows.into()),
            ("COLUMNS", columns.into()),
            ("OUTPUT_COLUMNS", output_columns.into()),
            ("OUTPUT_OFFSET", output_offset.into()),
        ];
        if kernel != "matmul" {
            constants.extend(Lanes::for_layer(columns).constants());
        }
        if kernel == "small_matmul" {
            constants.push(("TOKENS", SMALL_TOKENS.into()));
        }
        Variant { formats: vec![("", format)], epilogue: Some(epilogue), ..Variant::new(kernel, constants) }
    }
}
