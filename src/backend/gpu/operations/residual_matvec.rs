//! The product for a single token that is added to the residual stream: `shaders/residual_matvec.wgsl`.

use super::Weighed;
use super::lanes::Lanes;
use crate::backend::gpu::recorder::Recorder;
use crate::backend::gpu::shaders::Variant;
use crate::backend::gpu::tensor::Tensor;
use crate::gguf::TensorType;

/// residual += weights · input, weighed for the products after the next norm.
pub struct ResidualMatvec<'a> {
    /// `[rows, columns]`, of one shard; rows a multiple of 8.
    pub weights: &'a Tensor,
    /// f32 `[1, columns]`.
    pub input: &'a wgpu::Buffer,
    /// f32 `[1, rows]`, read and written.
    pub residual: &'a wgpu::Buffer,
    /// The next norm: f32 `[rows]`.
    pub norm: &'a wgpu::Buffer,
    /// Of the new residual, written.
    pub weighed: Weighed<'a>,
}

impl ResidualMatvec<'_> {
    /// Appends one dispatch.
    pub fn record(&self, recorder: &mut Recorder) {
        let Tensor { tensor_type, rows, columns, .. } = *self.weights;
        recorder.count_weight_bytes(self.weights.device_bytes());
        recorder.dispatch(
            &Self::variant(tensor_type, [rows, columns]),
            &[
                (0, self.weights.buffer()),
                (1, self.input),
                (2, self.residual),
                (3, self.norm),
                (4, self.weighed.row),
                (5, self.weighed.squares),
            ],
            [Lanes::for_few_rows(columns).workgroups(rows), 1, 1],
            (rows * columns) as u64,
        );
    }

    /// The kernel for a matrix of `[rows, columns]`.
    pub fn variant(format: TensorType, [rows, columns]: [usize; 2]) -> Variant {
        let mut constants = vec![("ROWS", rows.into()), ("COLUMNS", columns.into())];
        constants.extend(Lanes::for_few_rows(columns).constants());
        Variant { formats: vec![("", format)], ..Variant::new("residual_matvec", constants) }
    }
}
