//! Rows of floats as quants, for products of quants: `shaders/quantize.wgsl`.

use crate::backend::gpu::device::Device;
use crate::backend::gpu::recorder::Recorder;
use crate::backend::gpu::shaders::Variant;
use crate::backend::gpu::tier::Tier;

/// Columns that share a scale.
const SCALE_COLUMNS: usize = 16;

/// Columns that a workgroup quantises.
const WORKGROUP_COLUMNS: usize = 64 * SCALE_COLUMNS;

/// Rows of activations as quants, with a scale for every 16 of them.
#[derive(Debug, Clone)]
pub struct QuantizedRows {
    /// `[tokens, columns]`: f16 on [`Tier::F16`], i8 on any other.
    pub quants: wgpu::Buffer,
    /// f32 `[tokens, columns / 16, 2]`: the scale, and the scale times the sum of the quants.
    pub scales: wgpu::Buffer,
}

impl QuantizedRows {
    /// Makes room for `tokens` rows of at most `columns`, a multiple of 32.
    pub fn allocate(device: &Device, tokens: usize, columns: usize) -> Self {
        let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC;
        let buffer = |label, bytes: usize| device.buffer(label, bytes as u64, usage);
        let quant_bytes = if device.tier == Tier::F16 { 2 } else { 1 };
        Self {
            quants: buffer("quantized rows", tokens * columns * quant_bytes),
            scales: buffer("scales of quantized rows", tokens * columns / SCALE_COLUMNS * 2 * size_of::<f32>()),
        }
    }
}

/// input ≈ scale * quants, in each 16 columns of each row.
pub struct Quantize<'a> {
    /// The pass: its rows are `tokens`.
    pub step: &'a wgpu::Buffer,
    /// f32 `[tokens, columns]`.
    pub input: &'a wgpu::Buffer,
    /// Written.
    pub output: &'a QuantizedRows,
    /// How many tokens.
    pub tokens: usize,
    /// Width of a row, a multiple of 32.
    pub columns: usize,
}

impl Quantize<'_> {
    /// Appends one dispatch.
    pub fn record(&self, recorder: &mut Recorder) {
        recorder.dispatch(
            &Self::variant(self.columns),
            &[(0, self.step), (1, self.input), (2, &self.output.quants), (3, &self.output.scales)],
            [(self.tokens * self.columns).div_ceil(WORKGROUP_COLUMNS), 1, 1],
            0,
        );
    }

    /// The kernel for rows of `columns`.
    pub fn variant(columns: usize) -> Variant {
        Variant::new("quantize", vec![("COLUMNS", columns.into())])
    }
}
