// residual[token, :] = table[tokens[token], :]
//
// The table may be split by rows into shards. A dispatch has two of them, and fills in the tokens whose row they have.
// Constants: COLUMNS; START, the first row of the first shard; FIRST_ROWS and SECOND_ROWS of the shards.
@group(0) @binding(0) var<storage, read> first_weights: array<vec4<u32>>;   // [FIRST_ROWS, COLUMNS], in planes
@group(0) @binding(1) var<storage, read> second_weights: array<vec4<u32>>;  // [SECOND_ROWS, COLUMNS], in planes
@group(0) @binding(2) var<storage, read> tokens: array<u32>;                // [tokens]
@group(0) @binding(3) var<storage, read_write> residual: array<vec4<f32>>;  // [tokens, COLUMNS / 4]

const COLUMN_QUADS: u32 = COLUMNS / 4u;

#import dequantize as first
#import dequantize as second

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let quad = id.x;
    let token = id.y;
    let row = tokens[token] - START; // wraps to a large number for a row before these shards
    if (quad >= COLUMN_QUADS) {
        return;
    }
    if (row < FIRST_ROWS) {
        residual[token * COLUMN_QUADS + quad] = first_dequantize4(row * COLUMN_QUADS + quad);
    } else if (row - FIRST_ROWS < SECOND_ROWS) {
        residual[token * COLUMN_QUADS + quad] = second_dequantize4((row - FIRST_ROWS) * COLUMN_QUADS + quad);
    }
}
