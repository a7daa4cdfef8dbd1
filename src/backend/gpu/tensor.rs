//! Weights on the GPU: repacked into planes, and split by rows where one binding can't hold them.

use super::device::{Device, MAX_BINDING_BYTES};
use super::operations::LOGIT_BLOCK;
use crate::gguf::{TensorInfo, TensorType};

/// Weights that share a scale at most: what kernels work in.
const GROUP_WEIGHTS: u64 = 32;

/// A plane starts at a whole `vec4<u32>`.
const PLANE_ALIGNMENT_BYTES: u64 = 16;

/// The rows of a shard are a multiple of this, but for the last one's.
const SHARD_ROW_STEP: usize = LOGIT_BLOCK;

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
    /// Their planes: see `shaders/shared/planes.wgsl`. Floats are as they are in the file.
    pub buffer: wgpu::Buffer,
}

impl Tensor {
    /// Makes room for the tensor in pieces of at most `max_binding_bytes`, usually [`MAX_BINDING_BYTES`].
    pub fn allocate(device: &Device, info: &TensorInfo, max_binding_bytes: u64) -> Self {
        let TensorInfo { tensor_type, rows, columns, .. } = *info;
        // A whole number of the head's blocks of logits; also an even number of blocks of weights and whole words, whatever
        // the type, so that a shard starts at all of them.
        let step_bytes = Self::bytes(tensor_type, SHARD_ROW_STEP, columns);
        let shard_rows = (max_binding_bytes / step_bytes).max(1) as usize * SHARD_ROW_STEP;
        let mut usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST;
        if rows == 1 {
            usage |= wgpu::BufferUsages::UNIFORM; // biases are read as such where storage bindings are scarce
        }
        let shards = (0..rows)
            .step_by(shard_rows)
            .map(|first_row| {
                let rows = shard_rows.min(rows - first_row);
                let buffer = device.buffer(&info.name, Self::bytes(tensor_type, rows, columns), usage);
                Shard { first_row, rows, buffer }
            })
            .collect();
        Self { tensor_type, rows, columns, shards }
    }

    /// The bytes that `[rows, columns]` take on the GPU.
    pub fn bytes(tensor_type: TensorType, rows: usize, columns: usize) -> u64 {
        if tensor_type.is_float() {
            (rows as u64 * tensor_type.row_bytes(columns)).next_multiple_of(PLANE_ALIGNMENT_BYTES)
        } else {
            plane_bytes(tensor_type, rows as u64 * columns as u64 / GROUP_WEIGHTS)
        }
    }

    /// The bytes that it takes on the GPU.
    pub fn device_bytes(&self) -> u64 {
        self.shards.iter().map(|shard| shard.buffer.size()).sum()
    }

    /// The only piece of a tensor that has just one, as all norms and biases have.
    pub fn buffer(&self) -> &wgpu::Buffer {
        &self.shards[0].buffer
    }
}

/// The bytes of the planes of so many groups. The planes of a format are listed in its file in `shaders/shared/`.
fn plane_bytes(tensor_type: TensorType, groups: u64) -> u64 {
    const NIBBLES: u64 = 16;
    const FIFTH_BITS: u64 = 4;
    const GROUP_SCALES: u64 = 2;
    // In bytes: of the planes that have a value a group, and of the one that has a value a block of eight groups.
    let (group_planes, block_plane): (&[u64], u64) = match tensor_type {
        TensorType::F32 => (&[128], 0),
        TensorType::F16 | TensorType::BF16 => (&[64], 0),
        TensorType::Q4_0 => (&[NIBBLES, 2], 0),
        TensorType::Q4_1 => (&[NIBBLES, 4], 0),
        TensorType::Q5_0 => (&[NIBBLES, FIFTH_BITS, 2], 0),
        TensorType::Q5_1 => (&[NIBBLES, FIFTH_BITS, 4], 0),
        TensorType::Q8_0 => (&[32, 2], 0),
        TensorType::Q4K => (&[NIBBLES, GROUP_SCALES], 4),
        TensorType::Q5K => (&[NIBBLES, FIFTH_BITS, GROUP_SCALES], 4),
        TensorType::Q6K => (&[NIBBLES, 8, GROUP_SCALES], 2),
    };
    let aligned = |bytes: u64| bytes.next_multiple_of(PLANE_ALIGNMENT_BYTES);
    group_planes.iter().map(|bytes| aligned(bytes * groups)).sum::<u64>() + aligned(block_plane * groups / 8)
}

const _: () = assert!(MAX_BINDING_BYTES.is_multiple_of(PLANE_ALIGNMENT_BYTES));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planes_take_hardly_more_room_than_blocks() {
        for tensor_type in TensorType::ALL {
            let file_bytes = 896 * tensor_type.row_bytes(4864);
            let bytes = Tensor::bytes(tensor_type, 896, 4864);
            assert!(bytes >= file_bytes, "{tensor_type:?}");
            assert!(bytes as f64 <= 1.03 * file_bytes as f64, "{tensor_type:?}: {bytes} for {file_bytes} bytes");
        }
    }
}
