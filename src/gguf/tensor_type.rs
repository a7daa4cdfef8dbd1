//! The tensor types that Qwisp computes with, and the size of their blocks.

use candle_core::quantized::GgmlDType;

/// How a tensor's weights are encoded: in blocks of [`block_weights`](Self::block_weights) weights, each of
/// [`block_bytes`](Self::block_bytes) bytes. Layouts: `ggml-common.h` of the ggml project.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TensorType {
    /// 32-bit floats.
    F32,
    /// 16-bit floats of IEEE 754.
    F16,
    /// The upper halves of 32-bit floats.
    BF16,
    /// 32 weights: an f16 scale, 32 nibbles.
    Q4_0,
    /// 32 weights: an f16 scale, an f16 offset, 32 nibbles.
    Q4_1,
    /// 32 weights: an f16 scale, 32 high bits, 32 nibbles.
    Q5_0,
    /// 32 weights: an f16 scale, an f16 offset, 32 high bits, 32 nibbles.
    Q5_1,
    /// 32 weights: an f16 scale, 32 signed bytes.
    Q8_0,
    /// 256 weights in 8 groups of 32: two f16 scales, 6-bit scales and minima, 256 nibbles.
    Q4K,
    /// 256 weights in 8 groups of 32: two f16 scales, 6-bit scales and minima, 256 high bits, 256 nibbles.
    Q5K,
    /// 256 weights in 16 groups of 16: 256 nibbles, 256 two-bit parts, 16 signed scales, an f16 scale.
    Q6K,
}

/// A type, its name in llama.cpp, and what candle calls it.
const TYPES: [(TensorType, &str, GgmlDType); TensorType::ALL.len()] = [
    (TensorType::F32, "F32", GgmlDType::F32),
    (TensorType::F16, "F16", GgmlDType::F16),
    (TensorType::BF16, "BF16", GgmlDType::BF16),
    (TensorType::Q4_0, "Q4_0", GgmlDType::Q4_0),
    (TensorType::Q4_1, "Q4_1", GgmlDType::Q4_1),
    (TensorType::Q5_0, "Q5_0", GgmlDType::Q5_0),
    (TensorType::Q5_1, "Q5_1", GgmlDType::Q5_1),
    (TensorType::Q8_0, "Q8_0", GgmlDType::Q8_0),
    (TensorType::Q4K, "Q4_K", GgmlDType::Q4K),
    (TensorType::Q5K, "Q5_K", GgmlDType::Q5K),
    (TensorType::Q6K, "Q6_K", GgmlDType::Q6K),
];

impl TensorType {
    /// Every supported type, in the order of their declaration.
    pub const ALL: [Self; 11] = [
        Self::F32,
        Self::F16,
        Self::BF16,
        Self::Q4_0,
        Self::Q4_1,
        Self::Q5_0,
        Self::Q5_1,
        Self::Q8_0,
        Self::Q4K,
        Self::Q5K,
        Self::Q6K,
    ];

    /// The supported type that candle's `dtype` is, if any.
    pub fn from_ggml(dtype: GgmlDType) -> Option<Self> {
        TYPES.into_iter().find(|(.., ggml)| *ggml == dtype).map(|(tensor_type, ..)| tensor_type)
    }

    /// The type as candle names it.
    pub fn to_ggml(self) -> GgmlDType {
        TYPES[self as usize].2
    }

    /// The name as llama.cpp writes it; also the name of the shader files that decode it, in lower case.
    pub fn name(self) -> &'static str {
        TYPES[self as usize].1
    }

    /// Whether the weights are floats by themselves, and not in blocks with scales.
    pub fn is_float(self) -> bool {
        matches!(self, Self::F32 | Self::F16 | Self::BF16)
    }

    /// The weights of one block.
    pub fn block_weights(self) -> usize {
        self.to_ggml().block_size()
    }

    /// The bytes of one block.
    pub fn block_bytes(self) -> usize {
        self.to_ggml().type_size()
    }

    /// The bytes of a row of `columns` weights; `columns` is a multiple of [`block_weights`](Self::block_weights). A file
    /// may claim any number of columns: where the bytes are too many to count, this is the largest number.
    pub fn row_bytes(self, columns: usize) -> u64 {
        ((columns / self.block_weights()) as u64).saturating_mul(self.block_bytes() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_every_type_in_its_place() {
        for (index, (tensor_type, _, ggml)) in TYPES.into_iter().enumerate() {
            assert_eq!(tensor_type as usize, index);
            assert_eq!(TensorType::ALL[index], tensor_type);
            assert_eq!(TensorType::from_ggml(ggml), Some(tensor_type));
        }
    }
}
