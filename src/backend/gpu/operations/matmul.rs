//! Products with a quantised matrix: `shaders/matvec.wgsl` for one token, `shaders/small_matmul.wgsl` for a few; for more,
//! `shaders/matmul.wgsl` or, of quants, `shaders/matmul_quantized.wgsl`.

use super::lanes::Lanes;
use super::quantize::QuantizedRows;
use super::register_tile::RegisterTile;
use crate::backend::gpu::recorder::Recorder;
use crate::backend::gpu::shaders::{Epilogue, Variant};
use crate::backend::gpu::tensor::{Shard, Tensor};
use crate::gguf::TensorType;

/// The most tokens that `small_matmul.wgsl` computes.
const SMALL_TOKENS: usize = 8;

/// In what numbers the products for more than a few tokens are made. Sums are f32 in any case, but for those of 16 products
/// of quants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arithmetic {
    /// In f32.
    F32,
    /// In quants of the device's tier: f16, two products an instruction, on [`Tier::F16`]; bytes, four an instruction, on any
    /// other. Right for GPUs that have these instructions; where they are emulated it is no faster than f32. Weights that are
    /// floats have no quants: theirs are in f32.
    ///
    /// [`Tier::F16`]: crate::backend::gpu::tier::Tier::F16
    Quantized,
}

impl Arithmetic {
    /// Every kind.
    pub const ALL: [Self; 2] = [Self::F32, Self::Quantized];
}

/// output = weights · input, for each token, with an epilogue.
pub struct MatMul<'a> {
    /// The pass: its rows are `tokens`.
    pub step: &'a wgpu::Buffer,
    /// `[rows, columns]`, quantised; columns a multiple of 32.
    pub weights: &'a Tensor,
    /// f32 `[tokens, columns]`.
    pub input: &'a wgpu::Buffer,
    /// The same, quantised, if the product is to be made in [`Arithmetic::Quantized`].
    pub quantized_input: Option<&'a QuantizedRows>,
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
        let quantized = self.quantized_input.filter(|_| Self::reads_quantized(self.weights.tensor_type, self.tokens));
        for shard in &self.weights.shards {
            let mut buffers = vec![(1, &shard.buffer), (3, self.output)];
            match quantized {
                Some(rows) => buffers.extend([(2, &rows.quants), (5, &rows.scales)]),
                None => buffers.push((2, self.input)),
            }
            buffers.extend(self.bias.map(|bias| (4, bias)));
            if self.tokens > 1 {
                buffers.push((0, self.step));
            }
            let multiply_adds = (shard.rows * self.weights.columns) as u64 * self.tokens as u64;
            let workgroups = match self.tokens {
                ..=SMALL_TOKENS => [Lanes::for_few_rows(self.weights.columns).workgroups(shard.rows), 1, 1],
                tokens if quantized.is_some() => RegisterTile::SQUARE.workgroups(shard.rows, tokens),
                tokens => RegisterTile::for_tokens(tokens).workgroups(shard.rows, tokens),
            };
            recorder.count_weight_bytes(shard.buffer.size() * workgroups[1] as u64);
            recorder.dispatch(&self.shard_variant(shard), &buffers, workgroups, multiply_adds);
        }
    }

    /// Whether the product of such weights with so many tokens reads [`quantized_input`](Self::quantized_input), when there
    /// is one.
    pub fn reads_quantized(format: TensorType, tokens: usize) -> bool {
        tokens > SMALL_TOKENS && !format.is_float()
    }

    /// The most rows of one shard: a dispatch has a limited number of workgroups.
    pub fn max_shard_rows(limits: &wgpu::Limits) -> usize {
        limits.max_compute_workgroups_per_dimension as usize * Lanes::MIN_FEW_ROWS
    }

    fn shard_variant(&self, shard: &Shard) -> Variant {
        Self::variant(
            if self.quantized_input.is_some() { Arithmetic::Quantized } else { Arithmetic::F32 },
            self.tokens,
            self.weights.tensor_type,
            self.epilogue,
            [shard.rows, self.weights.columns],
            [self.output_columns, self.output_offset + shard.first_row],
        )
    }

    /// The kernel for so many tokens and `[rows, columns]` weights that writes to `[columns, offset]` of an output.
    pub fn variant(
        arithmetic: Arithmetic,
        tokens: usize,
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
        let kernel = match tokens {
            1 => "matvec",
            ..=SMALL_TOKENS => "small_matmul",
            _ if arithmetic == Arithmetic::Quantized && Self::reads_quantized(format, tokens) => "matmul_quantized",
            _ => "matmul",
        };
        if tokens <= SMALL_TOKENS {
            constants.extend(Lanes::for_few_rows(columns).constants());
        }
        if kernel == "small_matmul" {
            constants.push(("TOKENS", SMALL_TOKENS.into()));
        }
        Variant { formats: vec![("", format)], epilogue: Some(epilogue), ..Variant::new(kernel, constants) }
    }
}
