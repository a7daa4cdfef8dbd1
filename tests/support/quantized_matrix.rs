//! Matrices of random blocks: every bit of every field is random, except that scales are finite.

use std::borrow::Cow;

use candle_core::Device;
use candle_core::quantized::{QStorage, QTensor};
use qwisp::backend::gpu::recorder::Recorder;
use qwisp::backend::gpu::tensor::Tensor;
use qwisp::backend::gpu::uploader::Uploader;
use qwisp::generate::Random;
use qwisp::gguf::{TensorInfo, TensorType};

/// How large the weights are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Scales {
    /// Around 1, as far as a block's other fields let them.
    Moderate,
    /// Anything finite that a scale can be: negative, zero, subnormal, the largest.
    Extreme,
}

/// Exact f16 numbers that are easily got wrong: ±0, the smallest and largest subnormals, the largest.
const EXTREME_HALVES: [u16; 8] = [0x0000, 0x8000, 0x0001, 0x8001, 0x03ff, 0x83ff, 0x7bff, 0xfbff];

/// A matrix as it is in a file.
pub(crate) struct QuantizedMatrix {
    pub(crate) tensor_type: TensorType,
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    pub(crate) bytes: Vec<u8>,
}

impl QuantizedMatrix {
    /// Random blocks.
    pub(crate) fn random(
        random: &mut Random,
        tensor_type: TensorType,
        [rows, columns]: [usize; 2],
        scales: Scales,
    ) -> Self {
        let words = (rows * tensor_type.row_bytes(columns) as usize).div_ceil(4);
        let mut bytes: Vec<u8> = (0..words).flat_map(|_| random.next_u32().to_le_bytes()).collect();
        bytes.truncate(rows * tensor_type.row_bytes(columns) as usize);
        for block in bytes.chunks_exact_mut(tensor_type.block_bytes()) {
            match tensor_type {
                TensorType::F32 => block.copy_from_slice(&random_float(random, scales).to_le_bytes()),
                TensorType::BF16 => block.copy_from_slice(&random_float(random, scales).to_le_bytes()[2..]),
                _ => {}
            }
            for &(offset, exponent) in half_fields(tensor_type) {
                block[offset..offset + 2].copy_from_slice(&random_half(random, scales, exponent).to_le_bytes());
            }
        }
        Self { tensor_type, rows, columns, bytes }
    }

    /// The weights as candle decodes them.
    pub(crate) fn dequantized(&self) -> Vec<f32> {
        let data = Cow::Borrowed(&self.bytes[..]);
        QStorage::from_data(data, &Device::Cpu, self.tensor_type.to_ggml())
            .and_then(|storage| QTensor::new(storage, (self.rows, self.columns)))
            .and_then(|tensor| tensor.dequantize(&Device::Cpu)?.flatten_all()?.to_vec1())
            .expect("candle decodes every supported type")
    }

    /// The matrix on the GPU, in shards of at most `max_binding_bytes`, uploaded in pieces of `piece_pairs` pairs of blocks.
    pub(crate) fn upload(&self, recorder: &mut Recorder, max_binding_bytes: u64, piece_pairs: usize) -> Tensor {
        let info = TensorInfo {
            name: "test.weight".to_string(),
            tensor_type: self.tensor_type,
            rows: self.rows,
            columns: self.columns,
            bytes: 0..self.bytes.len() as u64,
        };
        let uploader = Uploader::new(recorder.device());
        let tensor = Tensor::allocate(recorder.device(), &info, max_binding_bytes);
        let piece_bytes = piece_pairs * 2 * self.tensor_type.block_bytes();
        for (index, piece) in self.bytes.chunks(piece_bytes).enumerate() {
            uploader.upload(recorder, &tensor, (index * piece_bytes) as u64, piece);
        }
        tensor
    }
}

/// Where the f16 fields of a block are, and the exponent that makes its weights moderate.
fn half_fields(tensor_type: TensorType) -> &'static [(usize, i32)] {
    match tensor_type {
        TensorType::F32 | TensorType::BF16 => &[],
        TensorType::F16 => &[(0, 0)],
        TensorType::Q4_0 => &[(0, -3)],
        TensorType::Q4_1 => &[(0, -3), (2, 0)],
        TensorType::Q5_0 => &[(0, -4)],
        TensorType::Q5_1 => &[(0, -4), (2, 0)],
        TensorType::Q8_0 => &[(0, -7)],
        TensorType::Q4K => &[(0, -9), (2, -6)],
        TensorType::Q5K => &[(0, -10), (2, -6)],
        TensorType::Q6K => &[(208, -11)],
    }
}

fn random_half(random: &mut Random, scales: Scales, exponent: i32) -> u16 {
    let bits = random.next_u32();
    let (sign_and_mantissa, choice) = (bits as u16 & 0x83ff, bits >> 16);
    match scales {
        Scales::Moderate => sign_and_mantissa | ((exponent + 15) as u16) << 10,
        Scales::Extreme if choice.is_multiple_of(2) => EXTREME_HALVES[choice as usize / 2 % EXTREME_HALVES.len()],
        // Exponent 31 would be infinite, or not a number.
        Scales::Extreme => sign_and_mantissa | (choice as u16 / 2 % 31) << 10,
    }
}

fn random_float(random: &mut Random, scales: Scales) -> f32 {
    let bits = random.next_u32();
    let exponent = match scales {
        Scales::Moderate => 125 + random.next_u32() % 4,
        // Not 0: WGSL lets a device take subnormal f32 numbers for zero. Not 255: infinite, or not a number.
        Scales::Extreme => 1 + random.next_u32() % 254,
    };
    f32::from_bits(bits & 0x807f_ffff | exponent << 23)
}
