// output[token, row] = weights[row, :] · input[token, :]: the product for many tokens, in f32.
// A workgroup computes a tile of the output; each of its threads reads the weights and inputs that it needs by itself.
// Threads that read the same do so at the same time, so the cache serves them, and what is read is used eight times. There
// is no workgroup memory and no barrier: those take longest where a processor emulates a GPU, and that is where nothing
// faster than f32 is to be had.
//
// How the threads share the tile depends on the number of tokens, so that one kernel serves any: of 64 threads, eight have
// different tokens where there are 57 or more, and five where there are 33.
//
// Constants: ROWS, COLUMNS (a multiple of 32); OUTPUT_COLUMNS and OUTPUT_OFFSET, where the rows go in a wider output.
#import step
#import format
#import epilogue
#import register_tile

@group(0) @binding(0) var<uniform> step: Step;
@group(0) @binding(1) var<storage, read> weights: array<vec4<u32>>;      // [ROWS, COLUMNS], in planes
@group(0) @binding(2) var<storage, read> input: array<vec4<f32>>;        // [tokens, COLUMNS / 4]
@group(0) @binding(3) var<storage, read_write> output: array<f32>;       // [tokens, OUTPUT_COLUMNS]

const THREADS: u32 = 64u;
const COLUMN_GROUPS: u32 = COLUMNS / 32u;

// A group of 32 columns of each of the thread's rows; in which group each row starts, and where the input of each token.
var<private> group0: Group;
var<private> group1: Group;
var<private> group2: Group;
var<private> group3: Group;
var<private> group4: Group;
var<private> group5: Group;
var<private> group6: Group;
var<private> group7: Group;
var<private> row0: u32;
var<private> row1: u32;
var<private> row2: u32;
var<private> row3: u32;
var<private> row4: u32;
var<private> row5: u32;
var<private> row6: u32;
var<private> row7: u32;
var<private> input0: u32;
var<private> input1: u32;
var<private> input2: u32;
var<private> input3: u32;
var<private> input4: u32;
var<private> input5: u32;
var<private> input6: u32;
var<private> input7: u32;

// Past the last row, the last one is read again: its results are not stored.
fn row_start(row: u32) -> u32 {
    return min(row, ROWS - 1u) * COLUMN_GROUPS;
}

// Likewise for tokens.
fn input_start(token: u32) -> u32 {
    return min(token, step.rows - 1u) * (COLUMNS / 4u);
}

// Adds the products of columns 4 * part to 4 * part + 3 of a group.
fn add_part(column_group: u32, part: u32) {
    let low = mat4x4<f32>(
        dequantize_part(group0, part),
        dequantize_part(group1, part),
        dequantize_part(group2, part),
        dequantize_part(group3, part),
    );
    let high = mat4x4<f32>(
        dequantize_part(group4, part),
        dequantize_part(group5, part),
        dequantize_part(group6, part),
        dequantize_part(group7, part),
    );
    let quad = column_group * 8u + part;
    let x0 = input[input0 + quad];
    low0 += x0 * low;
    high0 += x0 * high;
    let x1 = input[input1 + quad];
    low1 += x1 * low;
    high1 += x1 * high;
    let x2 = input[input2 + quad];
    low2 += x2 * low;
    high2 += x2 * high;
    let x3 = input[input3 + quad];
    low3 += x3 * low;
    high3 += x3 * high;
    let x4 = input[input4 + quad];
    low4 += x4 * low;
    high4 += x4 * high;
    let x5 = input[input5 + quad];
    low5 += x5 * low;
    high5 += x5 * high;
    let x6 = input[input6 + quad];
    low6 += x6 * low;
    high6 += x6 * high;
    let x7 = input[input7 + quad];
    low7 += x7 * low;
    high7 += x7 * high;
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let token_threads = min((step.rows + 7u) / 8u, 8u);
    let row_threads = THREADS / token_threads;
    if (thread >= row_threads * token_threads) {
        return;
    }
    let row = workgroup.x * row_threads * 8u + thread % row_threads;
    let token = workgroup.y * token_threads * 8u + thread / row_threads;
    row0 = row_start(row);
    row1 = row_start(row + row_threads);
    row2 = row_start(row + 2u * row_threads);
    row3 = row_start(row + 3u * row_threads);
    row4 = row_start(row + 4u * row_threads);
    row5 = row_start(row + 5u * row_threads);
    row6 = row_start(row + 6u * row_threads);
    row7 = row_start(row + 7u * row_threads);
    input0 = input_start(token);
    input1 = input_start(token + token_threads);
    input2 = input_start(token + 2u * token_threads);
    input3 = input_start(token + 3u * token_threads);
    input4 = input_start(token + 4u * token_threads);
    input5 = input_start(token + 5u * token_threads);
    input6 = input_start(token + 6u * token_threads);
    input7 = input_start(token + 7u * token_threads);
    for (var column_group = 0u; column_group < COLUMN_GROUPS; column_group++) {
        group0 = load_group(row0 + column_group);
        group1 = load_group(row1 + column_group);
        group2 = load_group(row2 + column_group);
        group3 = load_group(row3 + column_group);
        group4 = load_group(row4 + column_group);
        group5 = load_group(row5 + column_group);
        group6 = load_group(row6 + column_group);
        group7 = load_group(row7 + column_group);
        // Each part is a constant: a compiler need not choose among the words of a group while the kernel runs.
        add_part(column_group, 0u);
        add_part(column_group, 1u);
        add_part(column_group, 2u);
        add_part(column_group, 3u);
        add_part(column_group, 4u);
        add_part(column_group, 5u);
        add_part(column_group, 6u);
        add_part(column_group, 7u);
    }
    store_sums(row, token, row_threads, token_threads);
}
