// output[token, row] = weights[row, :] · input[token, :]: the product for many tokens, of quants.
// The quants q of the weights are multiplied with quantised inputs p, bytes or f16 according to the tier; the sums of 16 such
// products are scaled and added up in f32. With w = scale * q - minimum and x = input_scale * p:
// Σ w x = scale * input_scale * Σ q p - minimum * input_scale * Σ p.
// A workgroup computes a tile of the output from quants in workgroup memory, a group of 32 columns at a time.
//
// Constants: ROWS, COLUMNS (a multiple of 32); OUTPUT_COLUMNS and OUTPUT_OFFSET, where the rows go in a wider output.
#import step
#import format
#import quants
#import group_quants
#import epilogue
#import register_tile

@group(0) @binding(0) var<uniform> step: Step;
@group(0) @binding(1) var<storage, read> weights: array<vec4<u32>>;      // [ROWS, COLUMNS], in planes
@group(0) @binding(2) var<storage, read> input: array<Quants16>;         // [tokens, COLUMNS / 16]
@group(0) @binding(3) var<storage, read_write> output: array<f32>;       // [tokens, OUTPUT_COLUMNS]
@group(0) @binding(5) var<storage, read> input_scales: array<vec2<f32>>; // [tokens, COLUMNS / 16]: scale, scale * Σ p

const ROW_THREADS: u32 = 8u;
const TOKEN_THREADS: u32 = 8u;
const THREADS: u32 = ROW_THREADS * TOKEN_THREADS;
const TILE_ROWS: u32 = ROW_THREADS * 8u;
const TILE_TOKENS: u32 = TOKEN_THREADS * 8u;
const COLUMN_GROUPS: u32 = COLUMNS / 32u;

// The halves of a group, one after the other, so that neighbouring threads read neighbouring elements.
var<workgroup> quant_tile: array<Quants16, TILE_ROWS * 2u>;
var<workgroup> scale_tile: array<vec2<f32>, TILE_ROWS * 2u>;             // scale, minimum
var<workgroup> input_tile: array<Quants16, TILE_TOKENS * 2u>;
var<workgroup> input_scale_tile: array<vec2<f32>, TILE_TOKENS * 2u>;     // scale, scale * Σ p

// Past the last row or token, the last one is loaded again: its results are not stored.
fn load_weights(first_row: u32, index: u32, column_group: u32) {
    let group = load_group(min(first_row + index, ROWS - 1u) * COLUMN_GROUPS + column_group);
    quant_tile[index] = group_quants16(group, 0u);
    quant_tile[TILE_ROWS + index] = group_quants16(group, 4u);
    scale_tile[index] = vec2<f32>(group.scales.x, group.minimum);
    scale_tile[TILE_ROWS + index] = vec2<f32>(group.scales.y, group.minimum);
}

fn load_input(first_token: u32, index: u32, column_group: u32) {
    let half = (min(first_token + index, step.rows - 1u) * COLUMN_GROUPS + column_group) * 2u;
    input_tile[index] = input[half];
    input_tile[TILE_TOKENS + index] = input[half + 1u];
    input_scale_tile[index] = input_scales[half];
    input_scale_tile[TILE_TOKENS + index] = input_scales[half + 1u];
}

// Adds the products of a half group; `row` and `token` say where the thread's first ones are in the tiles.
fn add_half(row: u32, token: u32) {
    let q0 = quant_tile[row];
    let q1 = quant_tile[row + ROW_THREADS];
    let q2 = quant_tile[row + 2u * ROW_THREADS];
    let q3 = quant_tile[row + 3u * ROW_THREADS];
    let q4 = quant_tile[row + 4u * ROW_THREADS];
    let q5 = quant_tile[row + 5u * ROW_THREADS];
    let q6 = quant_tile[row + 6u * ROW_THREADS];
    let q7 = quant_tile[row + 7u * ROW_THREADS];
    let s0 = scale_tile[row];
    let s1 = scale_tile[row + ROW_THREADS];
    let s2 = scale_tile[row + 2u * ROW_THREADS];
    let s3 = scale_tile[row + 3u * ROW_THREADS];
    let s4 = scale_tile[row + 4u * ROW_THREADS];
    let s5 = scale_tile[row + 5u * ROW_THREADS];
    let s6 = scale_tile[row + 6u * ROW_THREADS];
    let s7 = scale_tile[row + 7u * ROW_THREADS];
    let low_scales = vec4<f32>(s0.x, s1.x, s2.x, s3.x);
    let low_minima = vec4<f32>(s0.y, s1.y, s2.y, s3.y);
    let high_scales = vec4<f32>(s4.x, s5.x, s6.x, s7.x);
    let high_minima = vec4<f32>(s4.y, s5.y, s6.y, s7.y);
    let p0 = input_tile[token];
    let t0 = input_scale_tile[token];
    low0 += t0.x * low_scales * dots16(q0, q1, q2, q3, p0) - t0.y * low_minima;
    high0 += t0.x * high_scales * dots16(q4, q5, q6, q7, p0) - t0.y * high_minima;
    let p1 = input_tile[token + TOKEN_THREADS];
    let t1 = input_scale_tile[token + TOKEN_THREADS];
    low1 += t1.x * low_scales * dots16(q0, q1, q2, q3, p1) - t1.y * low_minima;
    high1 += t1.x * high_scales * dots16(q4, q5, q6, q7, p1) - t1.y * high_minima;
    let p2 = input_tile[token + 2u * TOKEN_THREADS];
    let t2 = input_scale_tile[token + 2u * TOKEN_THREADS];
    low2 += t2.x * low_scales * dots16(q0, q1, q2, q3, p2) - t2.y * low_minima;
    high2 += t2.x * high_scales * dots16(q4, q5, q6, q7, p2) - t2.y * high_minima;
    let p3 = input_tile[token + 3u * TOKEN_THREADS];
    let t3 = input_scale_tile[token + 3u * TOKEN_THREADS];
    low3 += t3.x * low_scales * dots16(q0, q1, q2, q3, p3) - t3.y * low_minima;
    high3 += t3.x * high_scales * dots16(q4, q5, q6, q7, p3) - t3.y * high_minima;
    let p4 = input_tile[token + 4u * TOKEN_THREADS];
    let t4 = input_scale_tile[token + 4u * TOKEN_THREADS];
    low4 += t4.x * low_scales * dots16(q0, q1, q2, q3, p4) - t4.y * low_minima;
    high4 += t4.x * high_scales * dots16(q4, q5, q6, q7, p4) - t4.y * high_minima;
    let p5 = input_tile[token + 5u * TOKEN_THREADS];
    let t5 = input_scale_tile[token + 5u * TOKEN_THREADS];
    low5 += t5.x * low_scales * dots16(q0, q1, q2, q3, p5) - t5.y * low_minima;
    high5 += t5.x * high_scales * dots16(q4, q5, q6, q7, p5) - t5.y * high_minima;
    let p6 = input_tile[token + 6u * TOKEN_THREADS];
    let t6 = input_scale_tile[token + 6u * TOKEN_THREADS];
    low6 += t6.x * low_scales * dots16(q0, q1, q2, q3, p6) - t6.y * low_minima;
    high6 += t6.x * high_scales * dots16(q4, q5, q6, q7, p6) - t6.y * high_minima;
    let p7 = input_tile[token + 7u * TOKEN_THREADS];
    let t7 = input_scale_tile[token + 7u * TOKEN_THREADS];
    low7 += t7.x * low_scales * dots16(q0, q1, q2, q3, p7) - t7.y * low_minima;
    high7 += t7.x * high_scales * dots16(q4, q5, q6, q7, p7) - t7.y * high_minima;
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let first_row = workgroup.x * TILE_ROWS;
    let first_token = workgroup.y * TILE_TOKENS;
    let row = thread % ROW_THREADS;
    let token = thread / ROW_THREADS;
    for (var column_group = 0u; column_group < COLUMN_GROUPS; column_group++) {
        for (var index = thread; index < TILE_ROWS; index += THREADS) {
            load_weights(first_row, index, column_group);
        }
        for (var index = thread; index < TILE_TOKENS; index += THREADS) {
            load_input(first_token, index, column_group);
        }
        workgroupBarrier();
        for (var half = 0u; half < 2u; half++) {
            add_half(half * TILE_ROWS + row, half * TILE_TOKENS + token);
        }
        workgroupBarrier();
    }
    store_sums(first_row + row, first_token + token, ROW_THREADS, TOKEN_THREADS);
}
