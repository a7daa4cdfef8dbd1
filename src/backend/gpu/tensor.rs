//! Weights on the GPU, as they are in the file, split by rows where one binding can't hold them.

use super::device::{Device, MAX_BINDING_BYTES};
use crate::gguf::{TensorInfo, TensorType};

/// A tensor of `[rows, columns]` on the GPU; a clone is another handle to the same memory.
#[derive(Debug, Clone)]
pub struct Tensor {
    /// How the weights are encoded.
    pub tensor_type: TensorType,
    /// Rows in all.
    pub rows: usize,
    /// Weights of a row.
    pub columns: usize,
    /// The pieces, in the order of their rows.
    pub shards: Vec<Shard>,
}

/// Some consecutive rows of a tensor.
#[derive(Debug, Clone)]
pub struct Shard {
    /// The first row that is here.
    pub first_row: usize,
    /// How many rows are here.
    pub rows: usize,
    /// Their blocks, then up to seven bytes of padding: kernels read whole words, and the one after an unaligned one.
    pub buffer: wgpu::Buffer,
}

impl Tensor {
    /// Makes room for the tensor in pieces of at most `max_binding_bytes`, usually [`MAX_BINDING_BYTES`].
    pub fn allocate(device: &Device, info: &TensorInfo, max_binding_bytes: u64) -> Self {
        let row_bytes = info.tensor_type.row_bytes(info.columns);
        // Four rows make whole words whatever the format, so that every shard starts at a multiple of four bytes.
        let padding_bytes = 8;
        let shard_rows = ((max_binding_bytes - padding_bytes) / row_bytes / 4 * 4).max(4) as usize;
        let shards = (0..info.rows)
            .step_by(shard_rows)
            .map(|first_row| {
                let rows = shard_rows.min(info.rows - first_row);
                let buffer = device.device.create_buffer(&wgpu::BufferDescriptor {
                    label: Some(&info.name),
                    size: (rows as u64 * row_bytes).next_multiple_of(4) + 4,
                    usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST,
                    mapped_at_creation: false,
                });
                Shard { first_row, rows, buffer }
            })
            .collect();
        Self { tensor_type: info.tensor_type, rows: info.rows, columns: info.columns, shards }
    }

    /// Writes part of the tensor's bytes; see [`Backend::upload`](crate::backend::Backend::upload).
    pub fn upload(&self, device: &Device, mut offset_bytes: u64, mut bytes: &[u8]) {
        let row_bytes = self.tensor_type.row_bytes(self.columns);
        for shard in &self.shards {
            let start = shard.first_row as u64 * row_bytes;
            let end = start + shard.rows as u64 * row_bytes;
            if bytes.is_empty() || offset_bytes >= end {
                continue;
            }
            let length = (bytes.len() as u64).min(end - offset_bytes) as usize;
            let (here, rest) = bytes.split_at(length);
            let (words, tail) = here.split_at(length / 4 * 4);
            device.queue.write_buffer(&shard.buffer, offset_bytes - start, words);
            if !tail.is_empty() {
                let mut word = [0; 4];
                word[..tail.len()].copy_from_slice(tail);
                device.queue.write_buffer(&shard.buffer, offset_bytes - start + words.len() as u64, &word);
            }
            offset_bytes += length as u64;
            bytes = rest;
        }
    }

    /// The only piece of a tensor that is small enough to have just one, a norm or a bias.
    pub fn buffer(&self) -> &wgpu::Buffer {
        &self.shards[0].buffer
    }
}

const _: () = assert!(MAX_BINDING_BYTES.is_multiple_of(4));
