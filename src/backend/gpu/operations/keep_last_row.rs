//! The last token of a pass as a pass of its own: `shaders/keep_last_row.wgsl`.

use crate::backend::gpu::recorder::Recorder;
use crate::backend::gpu::shaders::Variant;

/// Row 0 = the last row, and a step of this row.
pub struct KeepLastRow<'a> {
    /// The pass, rewritten.
    pub step: &'a wgpu::Buffer,
    /// f32 `[tokens, residual_columns]`, of which the first row is written.
    pub residual: &'a wgpu::Buffer,
    /// f32 `[tokens, attention_columns]`, of which the first row is written.
    pub attention: &'a wgpu::Buffer,
    /// Width of a row of the residual, a multiple of 4.
    pub residual_columns: usize,
    /// Width of a row of attention, a multiple of 4.
    pub attention_columns: usize,
}

impl KeepLastRow<'_> {
    /// Appends one dispatch.
    pub fn record(&self, recorder: &mut Recorder) {
        recorder.dispatch(
            &Self::variant(self.residual_columns, self.attention_columns),
            &[(0, self.step), (1, self.residual), (2, self.attention)],
            [1, 1, 1],
            0,
        );
    }

    /// The kernel for rows of these widths.
    pub fn variant(residual_columns: usize, attention_columns: usize) -> Variant {
        let constants =
            vec![("RESIDUAL_COLUMNS", residual_columns.into()), ("ATTENTION_COLUMNS", attention_columns.into())];
        Variant::new("keep_last_row", constants)
    }
}
