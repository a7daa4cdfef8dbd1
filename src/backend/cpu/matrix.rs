//! The weights of a tensor in memory.

use bytemuck::Pod;

use super::blocks::{Block, Bytes, BytesWithOffset, GROUP, Q4K, Q5K, Q6K, SLICE};
use super::lanes::F32x4;
use crate::error::{Error, ErrorKind, Result};
use crate::gguf::{TensorInfo, TensorType};

/// A tensor of `[rows, columns]`; a vector has one row.
#[derive(Debug)]
pub struct Matrix {
    /// How its file encodes it.
    pub tensor_type: TensorType,
    /// Its rows.
    pub rows: usize,
    /// Weights of a row.
    pub columns: usize,
    /// All rows' weights.
    pub weights: Weights,
}

/// Weights by the way in which they are decoded.
#[derive(Debug)]
pub enum Weights {
    /// 32-bit floats.
    F32(Vec<f32>),
    /// The bits of 16-bit floats.
    F16(Vec<u16>),
    /// The upper halves of 32-bit floats.
    Bf16(Vec<u16>),
    /// Q8_0, Q5_0 and Q4_0.
    Bytes(Vec<Bytes>),
    /// Q5_1 and Q4_1.
    BytesWithOffset(Vec<BytesWithOffset>),
    /// Q4_K.
    Q4K(Vec<Q4K>),
    /// Q5_K.
    Q5K(Vec<Q5K>),
    /// Q6_K.
    Q6K(Vec<Q6K>),
    /// As they are in the file.
    File(Vec<u8>),
}

impl Matrix {
    /// Makes room for a tensor that products are made with.
    ///
    /// # Errors
    /// [`ErrorKind::OutOfMemory`].
    pub fn allocate(info: &TensorInfo) -> Result<Self> {
        let blocks = (info.bytes.end - info.bytes.start) / info.tensor_type.block_bytes() as u64;
        let weights = room(info.tensor_type, blocks).ok_or_else(|| out_of_memory(info))?;
        Ok(Self { tensor_type: info.tensor_type, rows: info.rows, columns: info.columns, weights })
    }

    /// Makes room for a table of which only rows are wanted: it stays as it is in the file, which is smaller.
    ///
    /// # Errors
    /// [`ErrorKind::OutOfMemory`].
    pub fn allocate_table(info: &TensorInfo) -> Result<Self> {
        let bytes = zeros(info.bytes.end - info.bytes.start).ok_or_else(|| out_of_memory(info))?;
        let weights = Weights::File(bytes);
        Ok(Self { tensor_type: info.tensor_type, rows: info.rows, columns: info.columns, weights })
    }

    /// Takes whole blocks of the file, of which the first one's byte is the tensor's `offset_bytes`-th.
    pub fn upload(&mut self, offset_bytes: u64, bytes: &[u8]) {
        let (tensor_type, offset) = (self.tensor_type, offset_bytes as usize);
        match &mut self.weights {
            Weights::F32(weights) => bytemuck::cast_slice_mut(weights)[offset..][..bytes.len()].copy_from_slice(bytes),
            Weights::F16(weights) | Weights::Bf16(weights) => {
                bytemuck::cast_slice_mut(weights)[offset..][..bytes.len()].copy_from_slice(bytes);
            }
            Weights::File(weights) => weights[offset..][..bytes.len()].copy_from_slice(bytes),
            Weights::Bytes(blocks) => repack(tensor_type, blocks, offset, bytes),
            Weights::BytesWithOffset(blocks) => repack(tensor_type, blocks, offset, bytes),
            Weights::Q4K(blocks) => repack(tensor_type, blocks, offset, bytes),
            Weights::Q5K(blocks) => repack(tensor_type, blocks, offset, bytes),
            Weights::Q6K(blocks) => repack(tensor_type, blocks, offset, bytes),
        }
    }

    /// The bytes that the weights take.
    pub fn bytes(&self) -> u64 {
        let bytes = match &self.weights {
            Weights::F32(weights) => size_of_val(&weights[..]),
            Weights::F16(weights) | Weights::Bf16(weights) => size_of_val(&weights[..]),
            Weights::Bytes(blocks) => size_of_val(&blocks[..]),
            Weights::BytesWithOffset(blocks) => size_of_val(&blocks[..]),
            Weights::Q4K(blocks) => size_of_val(&blocks[..]),
            Weights::Q5K(blocks) => size_of_val(&blocks[..]),
            Weights::Q6K(blocks) => size_of_val(&blocks[..]),
            Weights::File(weights) => weights.len(),
        };
        bytes as u64
    }

    /// Whether products with it are products of quants.
    pub fn reads_quantized(&self) -> bool {
        !matches!(self.weights, Weights::F32(_) | Weights::F16(_) | Weights::Bf16(_) | Weights::File(_))
    }

    /// The weights of a vector of floats; of anything else none.
    pub fn floats(&self) -> &[f32] {
        if let Weights::F32(weights) = &self.weights { weights } else { &[] }
    }

    /// The weights of a row, as the file has them; `output` has room for [`columns`](Self::columns).
    pub fn decode_row(&self, row: usize, output: &mut [f32]) {
        let columns = row * self.columns..(row + 1) * self.columns;
        let (quads, rest) = output.as_chunks_mut::<4>();
        match &self.weights {
            Weights::F32(weights) => output.copy_from_slice(&weights[columns]),
            Weights::F16(weights) => {
                let (halves, rest_halves) = weights[columns].as_chunks::<4>();
                for (quad, halves) in quads.iter_mut().zip(halves) {
                    *quad = F32x4::from_halves(halves).to_array();
                }
                for (value, half) in rest.iter_mut().zip(rest_halves) {
                    *value = half::f16::from_bits(*half).to_f32();
                }
            }
            Weights::Bf16(weights) => {
                for (value, upper_half) in output.iter_mut().zip(&weights[columns]) {
                    *value = f32::from_bits(u32::from(*upper_half) << 16);
                }
            }
            Weights::Bytes(blocks) => decode_blocks(&blocks[row_blocks::<Bytes>(&columns)], output),
            Weights::BytesWithOffset(blocks) => {
                decode_blocks(&blocks[row_blocks::<BytesWithOffset>(&columns)], output);
            }
            Weights::Q4K(blocks) => decode_blocks(&blocks[row_blocks::<Q4K>(&columns)], output),
            Weights::Q5K(blocks) => decode_blocks(&blocks[row_blocks::<Q5K>(&columns)], output),
            Weights::Q6K(blocks) => decode_blocks(&blocks[row_blocks::<Q6K>(&columns)], output),
            Weights::File(bytes) => {
                let row_bytes = self.tensor_type.row_bytes(self.columns) as usize;
                self.decode_file_row(&bytes[row * row_bytes..][..row_bytes], output);
            }
        }
    }

    /// The weights of a row of the file, by way of a matrix of this row alone.
    fn decode_file_row(&self, bytes: &[u8], output: &mut [f32]) {
        let blocks = self.columns / self.tensor_type.block_weights();
        match room(self.tensor_type, blocks as u64) {
            Some(weights) => {
                let mut alone = Self { rows: 1, weights, ..*self };
                alone.upload(0, bytes);
                alone.decode_row(0, output);
            }
            // Without memory for a row, nothing that is computed of it can be right.
            None => output.fill(f32::NAN),
        }
    }
}

/// Zeros in place of weights, in so many blocks; `None` when there is no memory for them.
fn room(tensor_type: TensorType, blocks: u64) -> Option<Weights> {
    Some(match tensor_type {
        TensorType::F32 => Weights::F32(zeros(blocks)?),
        TensorType::F16 => Weights::F16(zeros(blocks)?),
        TensorType::BF16 => Weights::Bf16(zeros(blocks)?),
        TensorType::Q4_0 | TensorType::Q5_0 | TensorType::Q8_0 => Weights::Bytes(zeros(blocks)?),
        TensorType::Q4_1 | TensorType::Q5_1 => Weights::BytesWithOffset(zeros(blocks)?),
        TensorType::Q4K => Weights::Q4K(zeros(blocks)?),
        TensorType::Q5K => Weights::Q5K(zeros(blocks)?),
        TensorType::Q6K => Weights::Q6K(zeros(blocks)?),
    })
}

fn zeros<T: Pod>(count: u64) -> Option<Vec<T>> {
    let count = usize::try_from(count).ok()?;
    let mut zeros = Vec::new();
    zeros.try_reserve_exact(count).ok()?;
    zeros.resize(count, T::zeroed());
    Some(zeros)
}

fn out_of_memory(info: &TensorInfo) -> Error {
    let bytes = info.bytes.end - info.bytes.start;
    Error::new(ErrorKind::OutOfMemory, "there is no memory for a tensor")
        .at(&info.name)
        .got(format!("{bytes} bytes in the file"))
}

fn repack<B: Block>(tensor_type: TensorType, blocks: &mut [B], offset: usize, bytes: &[u8]) {
    let block_bytes = tensor_type.block_bytes();
    for (block, bytes) in blocks[offset / block_bytes..].iter_mut().zip(bytes.chunks_exact(block_bytes)) {
        *block = B::from_file(tensor_type, bytes);
    }
}

/// The blocks of a row of these columns, counted through all rows.
fn row_blocks<B: Block>(columns: &std::ops::Range<usize>) -> std::ops::Range<usize> {
    let block_weights = B::GROUPS * GROUP;
    columns.start / block_weights..columns.end / block_weights
}

fn decode_blocks<B: Block>(blocks: &[B], output: &mut [f32]) {
    for (block, output) in blocks.iter().zip(output.chunks_exact_mut(B::GROUPS * GROUP)) {
        for (group, output) in output.chunks_exact_mut(GROUP).enumerate() {
            for (slice, output) in output.chunks_exact_mut(SLICE).enumerate() {
                let quants = block.quants(group, slice).to_array();
                for (value, quant) in output.iter_mut().zip(quants) {
                    *value = block.scale() * f32::from(quant) + block.offset(group);
                }
            }
        }
    }
}
