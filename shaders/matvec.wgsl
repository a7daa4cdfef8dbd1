// output[0, row] = weights[row, :] · input[0, :]: the product for a single token.
// A workgroup computes ROWS_PER_WORKGROUP rows, LANES threads each.
//
// Constants: ROWS, COLUMNS; OUTPUT_COLUMNS and OUTPUT_OFFSET, where the rows go in a wider output.
#import format
#import dequantize
#import epilogue

@group(0) @binding(1) var<storage, read> weights: array<vec4<u32>>;      // [ROWS, COLUMNS], in planes
@group(0) @binding(2) var<storage, read> input: array<vec4<f32>>;        // [1, COLUMNS / 4]
@group(0) @binding(3) var<storage, read_write> output: array<f32>;       // [1, OUTPUT_COLUMNS]

const LANES: u32 = 16u;
const ROWS_PER_WORKGROUP: u32 = 4u;
const COLUMN_GROUPS: u32 = COLUMNS / 32u;

var<workgroup> partial_sums: array<f32, LANES * ROWS_PER_WORKGROUP>;

// The product of a group's 32 weights with the input from `quad` on. Written out, so that every part is a constant.
fn dot_group(group: Group, quad: u32) -> f32 {
    return dot(dequantize_part(group, 0u), input[quad])
        + dot(dequantize_part(group, 1u), input[quad + 1u])
        + dot(dequantize_part(group, 2u), input[quad + 2u])
        + dot(dequantize_part(group, 3u), input[quad + 3u])
        + dot(dequantize_part(group, 4u), input[quad + 4u])
        + dot(dequantize_part(group, 5u), input[quad + 5u])
        + dot(dequantize_part(group, 6u), input[quad + 6u])
        + dot(dequantize_part(group, 7u), input[quad + 7u]);
}

@compute @workgroup_size(LANES * ROWS_PER_WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let lane = thread % LANES;
    let row = workgroup.x * ROWS_PER_WORKGROUP + thread / LANES;

    var sum = 0.0;
    if (row < ROWS) {
        for (var group = lane; group < COLUMN_GROUPS; group += LANES) {
            sum += dot_group(load_group(row * COLUMN_GROUPS + group), group * 8u);
        }
    }
    partial_sums[thread] = sum;
    workgroupBarrier();
    for (var stride = LANES / 2u; stride > 0u; stride /= 2u) {
        if (lane < stride) {
            partial_sums[thread] += partial_sums[thread + stride];
        }
        workgroupBarrier();
    }
    if (lane == 0u && row < ROWS) {
        store(0u, row, partial_sums[thread]);
    }
}
