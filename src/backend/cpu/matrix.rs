//! The weights of a tensor in memory.

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
    /// All rows' weights, as far as they were uploaded.
    pub weights: Weights,
    /// How many bytes of the file that is.
    uploaded_bytes: u64,
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
        Ok(Self::with_room(info, weights))
    }

    /// Makes room for a table of which only rows are wanted: it stays as it is in the file, which is smaller.
    ///
    /// # Errors
    /// [`ErrorKind::OutOfMemory`].
    pub fn allocate_table(info: &TensorInfo) -> Result<Self> {
        let bytes = empty(info.bytes.end - info.bytes.start).ok_or_else(|| out_of_memory(info))?;
        Ok(Self::with_room(info, Weights::File(bytes)))
    }

    fn with_room(info: &TensorInfo, weights: Weights) -> Self {
        let TensorInfo { tensor_type, rows, columns, .. } = *info;
        Self { tensor_type, rows, columns, weights, uploaded_bytes: 0 }
    }

    /// Takes the next whole blocks of the file, of which the first one's byte is the tensor's `offset_bytes`-th.
    pub fn upload(&mut self, offset_bytes: u64, bytes: &[u8]) {
        assert_eq!(offset_bytes, self.uploaded_bytes, "the parts of a tensor come in order");
        self.uploaded_bytes += bytes.len() as u64;
        let tensor_type = self.tensor_type;
        match &mut self.weights {
            Weights::F32(weights) => weights.extend(bytes.as_chunks().0.iter().copied().map(f32::from_le_bytes)),
            Weights::F16(weights) | Weights::Bf16(weights) => {
                weights.extend(bytes.as_chunks().0.iter().copied().map(u16::from_le_bytes));
            }
            Weights::File(weights) => weights.extend_from_slice(bytes),
            Weights::Bytes(blocks) => Bytes::append(tensor_type, bytes, blocks),
            Weights::BytesWithOffset(blocks) => BytesWithOffset::append(tensor_type, bytes, blocks),
            Weights::Q4K(blocks) => Q4K::append(tensor_type, bytes, blocks),
            Weights::Q5K(blocks) => Q5K::append(tensor_type, bytes, blocks),
            Weights::Q6K(blocks) => Q6K::append(tensor_type, bytes, blocks),
        }
    }

    /// The bytes that the weights take, uploaded or not.
    pub fn bytes(&self) -> u64 {
        match &self.weights {
            Weights::F32(weights) => room_bytes(weights),
            Weights::F16(weights) | Weights::Bf16(weights) => room_bytes(weights),
            Weights::Bytes(blocks) => room_bytes(blocks),
            Weights::BytesWithOffset(blocks) => room_bytes(blocks),
            Weights::Q4K(blocks) => room_bytes(blocks),
            Weights::Q5K(blocks) => room_bytes(blocks),
            Weights::Q6K(blocks) => room_bytes(blocks),
            Weights::File(weights) => room_bytes(weights),
        }
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
                let mut alone = Self { rows: 1, weights, uploaded_bytes: 0, ..*self };
                alone.upload(0, bytes);
                alone.decode_row(0, output);
            }
            // Without memory for a row, nothing that is computed of it can be right.
            None => output.fill(f32::NAN),
        }
    }
}

/// Room for weights, in so many blocks; `None` when there is no memory for them. Nothing is written into it: that would touch all
/// of the memory once more.
fn room(tensor_type: TensorType, blocks: u64) -> Option<Weights> {
    Some(match tensor_type {
        TensorType::F32 => Weights::F32(empty(blocks)?),
        TensorType::F16 => Weights::F16(empty(blocks)?),
        TensorType::BF16 => Weights::Bf16(empty(blocks)?),
        TensorType::Q4_0 | TensorType::Q5_0 | TensorType::Q8_0 => Weights::Bytes(empty(blocks)?),
        TensorType::Q4_1 | TensorType::Q5_1 => Weights::BytesWithOffset(empty(blocks)?),
        TensorType::Q4K => Weights::Q4K(empty(blocks)?),
        TensorType::Q5K => Weights::Q5K(empty(blocks)?),
        TensorType::Q6K => Weights::Q6K(empty(blocks)?),
    })
}

fn empty<T>(count: u64) -> Option<Vec<T>> {
    let mut empty = Vec::new();
    empty.try_reserve_exact(usize::try_from(count).ok()?).ok()?;
    Some(empty)
}

fn room_bytes<T>(weights: &Vec<T>) -> u64 {
    (weights.capacity() * size_of::<T>()) as u64
}

fn out_of_memory(info: &TensorInfo) -> Error {
    let bytes = info.bytes.end - info.bytes.start;
    Error::new(ErrorKind::OutOfMemory, "there is no memory for a tensor")
        .at(&info.name)
        .got(format!("{bytes} bytes in the file"))
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
