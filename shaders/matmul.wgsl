// output[token, row] = weights[row, :] · input[token, :]: the product for several tokens.
// A workgroup computes TILE_ROWS rows for TILE_TOKENS tokens, from blocks dequantised once into workgroup memory;
// a thread computes every 16th row of 4 and every 8th token of 4.
//
// Constants: ROWS, COLUMNS (a multiple of 32); OUTPUT_COLUMNS and OUTPUT_OFFSET, where the rows go in a wider output.
#import step
#import dequantize
#import epilogue

@group(0) @binding(0) var<uniform> step: Step;
@group(0) @binding(1) var<storage, read> weights: array<vec4<u32>>;      // [ROWS, COLUMNS], in planes
@group(0) @binding(2) var<storage, read> input: array<vec4<f32>>;        // [tokens, COLUMNS / 4]
@group(0) @binding(3) var<storage, read_write> output: array<f32>;       // [tokens, OUTPUT_COLUMNS]

const THREADS: u32 = 128u;
const TILE_ROWS: u32 = 64u;
const TILE_TOKENS: u32 = 32u;
const TILE_QUADS: u32 = 8u;    // 32 columns: a group, of which a thread loads one half
const TILE_STRIDE: u32 = 9u;   // odd, so that neighbouring rows start in different memory banks
const COLUMN_QUADS: u32 = COLUMNS / 4u;

var<workgroup> weight_tile: array<vec4<f32>, TILE_ROWS * TILE_STRIDE>;
var<workgroup> input_tile: array<vec4<f32>, TILE_TOKENS * TILE_STRIDE>;

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let first_row = workgroup.x * TILE_ROWS;
    let first_token = workgroup.y * TILE_TOKENS;
    let thread_row = thread % 16u;
    let thread_token = thread / 16u;

    var sums = array<vec4<f32>, 4>(); // [token], four rows each
    for (var tile_quad = 0u; tile_quad < COLUMN_QUADS; tile_quad += TILE_QUADS) {
        // Past the last row or token, the last one is loaded again: its results are not stored.
        let row = min(first_row + thread / 2u, ROWS - 1u);
        let group = load_group(row * (COLUMNS / 32u) + tile_quad / TILE_QUADS);
        for (var i = 0u; i < 4u; i++) {
            let quad = (thread % 2u) * 4u + i;
            weight_tile[thread / 2u * TILE_STRIDE + quad] = dequantize_part(group, quad);
        }
        for (var index = thread; index < TILE_TOKENS * TILE_QUADS; index += THREADS) {
            let token = min(first_token + index / TILE_QUADS, step.rows - 1u);
            let quad = index % TILE_QUADS;
            input_tile[index / TILE_QUADS * TILE_STRIDE + quad] = input[token * COLUMN_QUADS + tile_quad + quad];
        }
        workgroupBarrier();

        for (var quad = 0u; quad < TILE_QUADS; quad++) {
            let w0 = weight_tile[thread_row * TILE_STRIDE + quad];
            let w1 = weight_tile[(thread_row + 16u) * TILE_STRIDE + quad];
            let w2 = weight_tile[(thread_row + 32u) * TILE_STRIDE + quad];
            let w3 = weight_tile[(thread_row + 48u) * TILE_STRIDE + quad];
            for (var i = 0u; i < 4u; i++) {
                let x = input_tile[(thread_token + 8u * i) * TILE_STRIDE + quad];
                sums[i] += vec4<f32>(dot(w0, x), dot(w1, x), dot(w2, x), dot(w3, x));
            }
        }
        workgroupBarrier();
    }

    for (var i = 0u; i < 4u; i++) {
        let token = first_token + thread_token + 8u * i;
        if (token < step.rows) {
            for (var j = 0u; j < 4u; j++) {
                let row = first_row + thread_row + 16u * j;
                if (row < ROWS) {
                    store(token, row, sums[i][j]);
                }
            }
        }
    }
}
