//! What the products of a single token want of the residual stream under a norm: `shaders/weigh.wgsl`.

use crate::backend::gpu::recorder::Recorder;
use crate::backend::gpu::shaders::Variant;

/// A row of the residual stream for the products after a norm. The kernel that writes the row makes it for all of them.
#[derive(Debug, Clone, Copy)]
pub struct Weighed<'a> {
    /// f32 `[1, columns]`: the row times the norm's weights.
    pub row: &'a wgpu::Buffer,
    /// f32 `[columns / 8]`: the sums of the squares of eight values each, before the norm's weights.
    pub squares: &'a wgpu::Buffer,
}

/// Weighs the last row of a pass.
pub struct Weigh<'a> {
    /// The pass.
    pub step: &'a wgpu::Buffer,
    /// f32 `[rows, columns]`.
    pub residual: &'a wgpu::Buffer,
    /// f32 `[columns]`.
    pub norm: &'a wgpu::Buffer,
    /// Written.
    pub weighed: Weighed<'a>,
    /// Width of a row, a multiple of 8.
    pub columns: usize,
}

impl Weigh<'_> {
    /// Appends one dispatch.
    pub fn record(&self, recorder: &mut Recorder) {
        let Weighed { row, squares } = self.weighed;
        recorder.dispatch(
            &Self::variant(self.columns),
            &[(0, self.step), (1, self.residual), (2, self.norm), (3, row), (4, squares)],
            [(self.columns / 8).div_ceil(64), 1, 1],
            0,
        );
    }

    /// The kernel for rows of `columns`.
    pub fn variant(columns: usize) -> Variant {
        Variant::new("weigh", vec![("COLUMNS", columns.into())])
    }
}
