//! How fast a device reads weights: what decides how fast it writes.

use crate::gguf::TensorType;

/// What a device takes for the products of one token, which read every weight once.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadingRates {
    /// Bytes per second by the types of weights, in bytes as they are in the file.
    pub bytes_per_second: Vec<(TensorType, f64)>,
    /// What each dispatch takes besides; 0 where there are none.
    pub seconds_per_dispatch: f64,
}

/// The types that rates are measured for: those of Qwen's Q4_K_M files. What takes the longest to decode comes first.
pub const MEASURED_TYPES: [TensorType; 4] = [TensorType::Q4K, TensorType::Q6K, TensorType::Q5_0, TensorType::Q8_0];

/// The width of the matrices that are measured: the residual stream of a Qwen2.5-1.5B.
pub const MEASURED_COLUMNS: usize = 1536;
