// Repacks GGUF blocks into the planes that kernels read (see `shared/planes.wgsl`), once, when a matrix is loaded. Exact:
// only the order of the bits changes. A thread takes two blocks, because some planes have two blocks in a word.
//
// Constants: ROWS, COLUMNS of the matrix.

// A piece of the matrix: what of it has arrived.
struct Piece {
    first_block: u32, // even
    blocks: u32,
    padding_0: u32,
    padding_1: u32,
}

@group(0) @binding(0) var<uniform> piece: Piece;
@group(0) @binding(1) var<storage, read> blocks: array<u32>;                 // the piece as it is in the file
@group(0) @binding(2) var<storage, read_write> weights: array<vec4<u32>>;    // [ROWS, COLUMNS], in planes
#import format
#import repack_format

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let first = id.x * 2u;
    if (first < piece.blocks) {
        repack_pair(first * BLOCK_BYTES, piece.first_block + first, first + 1u < piece.blocks);
    }
}
