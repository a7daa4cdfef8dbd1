//! The first half of the feed-forward layer for a single token: `shaders/gate_up.wgsl`.

use super::Weighed;
use super::lanes::Lanes;
use crate::backend::gpu::recorder::Recorder;
use crate::backend::gpu::shaders::Variant;
use crate::backend::gpu::tensor::Tensor;
use crate::gguf::TensorType;

/// hidden = silu(gate · x) * (up · x) with x = rms_norm(residual).
pub struct GateUp<'a> {
    /// The residual stream, weighed for the norm.
    pub input: Weighed<'a>,
    /// What is added to the mean square.
    pub epsilon: f32,
    /// `[rows, columns]`, of one shard.
    pub gate: &'a Tensor,
    /// `[rows, columns]`, of one shard.
    pub up: &'a Tensor,
    /// f32 `[1, rows]`, written.
    pub hidden: &'a wgpu::Buffer,
}

impl GateUp<'_> {
    /// Appends one dispatch.
    pub fn record(&self, recorder: &mut Recorder) {
        let Tensor { rows, columns, .. } = *self.gate;
        recorder.count_weight_bytes(self.gate.device_bytes() + self.up.device_bytes());
        recorder.dispatch(
            &Self::variant([self.gate.tensor_type, self.up.tensor_type], [rows, columns], self.epsilon),
            &[
                (0, self.input.row),
                (1, self.input.squares),
                (2, self.gate.buffer()),
                (3, self.up.buffer()),
                (4, self.hidden),
            ],
            [Lanes::for_many_rows(columns).workgroups(rows), 1, 1],
            2 * (rows * columns) as u64,
        );
    }

    /// The kernel for matrices of these formats, of `[rows, columns]` each.
    pub fn variant([gate, up]: [TensorType; 2], [rows, columns]: [usize; 2], epsilon: f32) -> Variant {
        let mut constants = vec![
            ("GATE_ROWS", rows.into()),
            ("UP_ROWS", rows.into()),
            ("COLUMNS", columns.into()),
            ("EPSILON", epsilon.into()),
        ];
        constants.extend(Lanes::for_many_rows(columns).constants());
        Variant { formats: vec![("gate", gate), ("up", up)], ..Variant::new("gate_up", constants) }
    }
}
