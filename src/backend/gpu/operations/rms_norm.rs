//! Root mean square norm: `shaders/rms_norm.wgsl`.

use crate::backend::gpu::recorder::Recorder;
use crate::backend::gpu::shaders::Variant;

/// output = input / rms(input) * weight, row by row.
pub struct RmsNorm<'a> {
    /// The pass: which rows of the input are wanted.
    pub step: &'a wgpu::Buffer,
    /// f32 `[first_row + rows, columns]`.
    pub input: &'a wgpu::Buffer,
    /// f32 `[columns]`.
    pub weight: &'a wgpu::Buffer,
    /// f32 `[rows, columns]`, written.
    pub output: &'a wgpu::Buffer,
    /// How many rows.
    pub rows: usize,
    /// Width of a row, a multiple of 4.
    pub columns: usize,
    /// What is added to the mean square.
    pub epsilon: f32,
}

impl RmsNorm<'_> {
    /// Appends one dispatch.
    pub fn record(&self, recorder: &mut Recorder) {
        recorder.dispatch(
            &Self::variant(self.columns, self.epsilon),
            &[(0, self.step), (1, self.input), (2, self.weight), (3, self.output)],
            [self.rows, 1, 1],
            0,
        );
    }

    /// The kernel for rows of `columns`.
    pub fn variant(columns: usize, epsilon: f32) -> Variant {
        Variant::new("rms_norm", vec![("COLUMNS", columns.into()), ("EPSILON", epsilon.into())])
    }
}
