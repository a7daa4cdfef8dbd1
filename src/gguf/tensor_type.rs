//! The tensor types that Qwisp computes with, and the size of their blocks.

use candle_core::quantized::GgmlDType;

/// How a tensor's weights are encoded: in blocks of [`block_weights`](Self::block_weights) weights, each of
/// [`block_bytes`](Self::block_bytes) bytes. Layouts: `ggml-common.h` of the ggml project.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TensorType {
    /// 32-bit floats.
    F32,
    /// 32 weights: an f16 scale, 32 high bits, 32 nibbles.
    Q5_0,
    /// 32 weights: an f16 scale, 32 signed bytes.
    Q8_0,
    /// 256 weights in 8 groups of 32: two f16 scales, 6-bit scales and minima, 256 nibbles.
    Q4K,
    /// 256 weights in 16 groups of 16: 256 nibbles, 256 two-bit parts, 16 signed scales, an f16 scale.
    Q6K,
}

impl TensorType {
    /// Every supported type.
    pub const ALL: [Self; 5] = [Self::F32, Self::Q5_0, Self::Q8_0, Self::Q4K, Self::Q6K];

    /// The supported type that candle's `dtype` is, if any.
    pub fn from_ggml(dtype: GgmlDType) -> Option<Self> {
        Self::ALL.into_iter().find(|tensor_type| tensor_type.to_ggml() == dtype)
    }

    /// The type as candle names it.
    pub fn to_ggml(self) -> GgmlDType {
        match self {
            Self::F32 => GgmlDType::F32,
            Self::Q5_0 => GgmlDType::Q5_0,
            Self::Q8_0 => GgmlDType::Q8_0,
            Self::Q4K => GgmlDType::Q4K,
            Self::Q6K => GgmlDType::Q6K,
        }
    }

    /// The name as llama.cpp writes it; also the name of the shader file that decodes it, in lower case.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "F32",
            Self::Q5_0 => "Q5_0",
            Self::Q8_0 => "Q8_0",
            Self::Q4K => "Q4_K",
            Self::Q6K => "Q6_K",
        }
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
