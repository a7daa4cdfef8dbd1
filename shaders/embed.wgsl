// residual[token, :] = table[tokens[token], :]; for the first token, also what the products of a single token want of it.
//
// The table may be split by rows into shards. A dispatch has two of them, and fills in the tokens whose row they have.
// Constants: COLUMNS (a multiple of 8); START, the first row of the first shard; FIRST_ROWS and SECOND_ROWS of the shards.
#import weigh

@group(0) @binding(0) var<storage, read> first_weights: array<vec4<u32>>;    // [FIRST_ROWS, COLUMNS], in planes
@group(0) @binding(1) var<storage, read> second_weights: array<vec4<u32>>;   // [SECOND_ROWS, COLUMNS], in planes
@group(0) @binding(2) var<storage, read> tokens: array<u32>;                 // [tokens]
@group(0) @binding(3) var<storage, read_write> residual: array<vec4<f32>>;   // [tokens, COLUMNS / 4]
@group(0) @binding(4) var<storage, read> norm: array<vec4<f32>>;             // [COLUMNS / 4]
@group(0) @binding(5) var<storage, read_write> weighed: array<vec4<f32>>;    // [1, COLUMNS / 4]
@group(0) @binding(6) var<storage, read_write> squares: array<f32>;          // [COLUMNS / 8]

const COLUMN_QUADS: u32 = COLUMNS / 4u;

#import dequantize as first
#import dequantize as second

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let octet = id.x;
    let token = id.y;
    let row = tokens[token] - START; // wraps to a large number for a row before these shards
    if (octet >= COLUMNS / 8u) {
        return;
    }
    let quad = octet * 2u;
    if (row < FIRST_ROWS) {
        let source = row * COLUMN_QUADS + quad;
        store(token, octet, first_dequantize4(source), first_dequantize4(source + 1u));
    } else if (row - FIRST_ROWS < SECOND_ROWS) {
        let source = (row - FIRST_ROWS) * COLUMN_QUADS + quad;
        store(token, octet, second_dequantize4(source), second_dequantize4(source + 1u));
    }
}

fn store(token: u32, octet: u32, low: vec4<f32>, high: vec4<f32>) {
    let quad = token * COLUMN_QUADS + octet * 2u;
    residual[quad] = low;
    residual[quad + 1u] = high;
    if (token == 0u) {
        weigh_octet(octet, low, high);
    }
}
