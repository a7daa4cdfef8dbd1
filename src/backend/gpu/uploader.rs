//! Bringing weights to the GPU: floats as they are, blocks through `shaders/repack.wgsl`.

use super::device::Device;
use super::operations::{Piece, Repack};
use super::recorder::Recorder;
use super::tensor::{Shard, Tensor};

/// The most bytes that are repacked at once.
const STAGING_BYTES: usize = 4 << 20;

/// Writes parts of tensors, with a buffer for the blocks that wait to be repacked.
pub struct Uploader {
    /// Blocks as they are in the file, [`STAGING_BYTES`] and the word after them that unaligned reading may touch.
    blocks: wgpu::Buffer,
    /// [`Piece`].
    piece: wgpu::Buffer,
}

impl Uploader {
    /// Makes the buffers on `device`.
    pub fn new(device: &Device) -> Self {
        let buffer =
            |label, bytes: usize, usage| device.buffer(label, bytes as u64, usage | wgpu::BufferUsages::COPY_DST);
        Self {
            blocks: buffer("blocks to repack", STAGING_BYTES + 4, wgpu::BufferUsages::STORAGE),
            piece: buffer("piece to repack", size_of::<Piece>(), wgpu::BufferUsages::UNIFORM),
        }
    }

    /// Writes part of a tensor's bytes; see [`Backend::upload`](crate::backend::Backend::upload).
    pub fn upload(&self, recorder: &mut Recorder, tensor: &Tensor, mut offset_bytes: u64, mut bytes: &[u8]) {
        let row_bytes = tensor.tensor_type.row_bytes(tensor.columns);
        for shard in &tensor.shards {
            let start = shard.first_row as u64 * row_bytes;
            let end = start + shard.rows as u64 * row_bytes;
            if bytes.is_empty() || offset_bytes >= end {
                continue;
            }
            let (here, rest) = bytes.split_at((bytes.len() as u64).min(end - offset_bytes) as usize);
            if tensor.tensor_type.is_float() {
                write_words(recorder.device(), &shard.buffer, offset_bytes - start, here);
            } else {
                self.repack(recorder, tensor, shard, offset_bytes - start, here);
            }
            offset_bytes += here.len() as u64;
            bytes = rest;
        }
    }

    /// Frees the buffers, and what was recorded with them.
    pub(super) fn free(self, recorder: &mut Recorder) {
        recorder.forget(&self.blocks);
    }

    /// Repacks blocks of a shard from `offset_bytes` on, piece by piece. What is written to a buffer waits for the work
    /// that was submitted before, so one buffer is enough.
    fn repack(&self, recorder: &mut Recorder, tensor: &Tensor, shard: &Shard, offset_bytes: u64, bytes: &[u8]) {
        let block_bytes = tensor.tensor_type.block_bytes();
        let piece_blocks = STAGING_BYTES / block_bytes / 2 * 2;
        let mut first_block = offset_bytes as usize / block_bytes;
        for piece in bytes.chunks(piece_blocks * block_bytes) {
            let block_count = piece.len() / block_bytes;
            let uniform = Piece { first_block: first_block as u32, blocks: block_count as u32, padding: [0; 2] };
            recorder.device().queue.write_buffer(&self.piece, 0, bytemuck::bytes_of(&uniform));
            write_words(recorder.device(), &self.blocks, 0, piece);
            Repack {
                piece: &self.piece,
                blocks: &self.blocks,
                block_count,
                tensor_type: tensor.tensor_type,
                shard,
                columns: tensor.columns,
            }
            .record(recorder);
            recorder.submit();
            first_block += block_count;
        }
    }
}

/// Writes bytes at a multiple of four, padded to whole words.
fn write_words(device: &Device, buffer: &wgpu::Buffer, offset_bytes: u64, bytes: &[u8]) {
    let (words, tail) = bytes.split_at(bytes.len() / 4 * 4);
    device.queue.write_buffer(buffer, offset_bytes, words);
    if !tail.is_empty() {
        let mut word = [0; 4];
        word[..tail.len()].copy_from_slice(tail);
        device.queue.write_buffer(buffer, offset_bytes + words.len() as u64, &word);
    }
}
