//! The projections before attention for a single token: `shaders/query_key_value.wgsl`.

use super::Weighed;
use super::lanes::Lanes;
use crate::backend::gpu::recorder::Recorder;
use crate::backend::gpu::shaders::Variant;
use crate::backend::gpu::tensor::Tensor;
use crate::gguf::TensorType;

/// The names of the three matrices.
const NAMES: [&str; 3] = ["query", "key", "value"];

/// qkv = [query; key; value] · rms_norm(residual) + bias.
pub struct QueryKeyValue<'a> {
    /// The residual stream, weighed for the norm.
    pub input: Weighed<'a>,
    /// What is added to the mean square.
    pub epsilon: f32,
    /// `[rows, columns]`, of one shard each.
    pub weights: [&'a Tensor; 3],
    /// f32 `[rows]` each.
    pub biases: [&'a wgpu::Buffer; 3],
    /// f32 `[1, rows of all three]`, written.
    pub qkv: &'a wgpu::Buffer,
}

impl QueryKeyValue<'_> {
    /// Appends one dispatch.
    pub fn record(&self, recorder: &mut Recorder) {
        let columns = self.weights[0].columns;
        let rows = self.weights.map(|weights| weights.rows);
        let [query, key, value] = self.weights.map(Tensor::buffer);
        let [query_bias, key_bias, value_bias] = self.biases;
        recorder.count_weight_bytes(self.weights.iter().map(|weights| weights.device_bytes()).sum());
        recorder.dispatch(
            &Self::variant(self.weights.map(|weights| weights.tensor_type), rows, columns, self.epsilon),
            &[
                (0, self.input.row),
                (1, self.input.squares),
                (2, query),
                (3, key),
                (4, value),
                (5, query_bias),
                (6, key_bias),
                (7, value_bias),
                (8, self.qkv),
            ],
            [Lanes::for_few_rows(columns).workgroups(rows.iter().sum()), 1, 1],
            (rows.iter().sum::<usize>() * columns) as u64,
        );
    }

    /// The kernel for matrices of these formats and rows.
    pub fn variant(formats: [TensorType; 3], rows: [usize; 3], columns: usize, epsilon: f32) -> Variant {
        let [query_rows, key_rows, value_rows] = rows;
        let mut constants = vec![
            ("QUERY_ROWS", query_rows.into()),
            ("KEY_ROWS", key_rows.into()),
            ("VALUE_ROWS", value_rows.into()),
            ("COLUMNS", columns.into()),
            ("EPSILON", epsilon.into()),
        ];
        constants.extend(Lanes::for_few_rows(columns).constants());
        let formats = NAMES.into_iter().zip(formats).collect();
        Variant { formats, ..Variant::new("query_key_value", constants) }
    }
}
