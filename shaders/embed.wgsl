// residual[token, :] = table[tokens[token], :]
//
// The table may be split by rows into shards. Each shard's dispatch fills in the tokens whose row it has.
// Constants: COLUMNS; FIRST_ROW and ROWS, the rows of this shard.
#import format
#import dequantize

@group(0) @binding(0) var<storage, read> weights: array<vec4<u32>>;         // [ROWS, COLUMNS], in planes
@group(0) @binding(1) var<storage, read> tokens: array<u32>;                // [tokens]
@group(0) @binding(2) var<storage, read_write> residual: array<vec4<f32>>;  // [tokens, COLUMNS / 4]

const COLUMN_QUADS: u32 = COLUMNS / 4u;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let quad = id.x;
    let token = id.y;
    let row = tokens[token] - FIRST_ROW; // wraps to a large number for a row before this shard
    if (quad < COLUMN_QUADS && row < ROWS) {
        residual[token * COLUMN_QUADS + quad] = dequantize4(row * COLUMN_QUADS + quad);
    }
}
