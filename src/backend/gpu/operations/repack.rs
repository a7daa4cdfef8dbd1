//! From the blocks of a file to planes: `shaders/repack.wgsl`.

use bytemuck::{Pod, Zeroable};

use crate::backend::gpu::recorder::Recorder;
use crate::backend::gpu::shaders::Variant;
use crate::backend::gpu::tensor::Shard;
use crate::gguf::TensorType;

/// Which blocks of a shard a piece holds: `Piece` of `shaders/repack.wgsl`.
#[derive(Debug, Clone, Copy, Default, Pod, Zeroable)]
#[repr(C)]
pub struct Piece {
    /// The first of them; even.
    pub first_block: u32,
    /// How many.
    pub blocks: u32,
    /// Uniform structs are whole vectors of four.
    pub padding: [u32; 2],
}

/// Writes the planes of a piece of a shard.
pub struct Repack<'a> {
    /// [`Piece`].
    pub piece: &'a wgpu::Buffer,
    /// The blocks as they are in the file.
    pub blocks: &'a wgpu::Buffer,
    /// How many blocks.
    pub block_count: usize,
    /// How they are encoded; not a float.
    pub tensor_type: TensorType,
    /// Where they go.
    pub shard: &'a Shard,
    /// Weights of a row of the shard.
    pub columns: usize,
}

impl Repack<'_> {
    /// Appends one dispatch.
    pub fn record(&self, recorder: &mut Recorder) {
        recorder.dispatch(
            &Self::variant(self.tensor_type, [self.shard.rows, self.columns]),
            &[(0, self.piece), (1, self.blocks), (2, &self.shard.buffer)],
            [self.block_count.div_ceil(2).div_ceil(64), 1, 1],
            0,
        );
    }

    /// The kernel for a shard of `[rows, columns]`.
    pub fn variant(format: TensorType, [rows, columns]: [usize; 2]) -> Variant {
        let constants = vec![("ROWS", rows.into()), ("COLUMNS", columns.into())];
        Variant { formats: vec![("", format)], ..Variant::new("repack", constants) }
    }
}
