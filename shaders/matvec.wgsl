// output[0, row] = weights[row, :] · input[0, :]: the product for a single token.
// A workgroup computes ROWS_PER_WORKGROUP rows, LANES threads each.
//
// Constants: ROWS, COLUMNS; OUTPUT_COLUMNS and OUTPUT_OFFSET, where the rows go in a wider output.
#import format
#import epilogue

@group(0) @binding(1) var<storage, read> weights: array<u32>;            // [ROWS, COLUMNS], quantised
@group(0) @binding(2) var<storage, read> input: array<vec4<f32>>;        // [1, COLUMNS / 4]
@group(0) @binding(3) var<storage, read_write> output: array<f32>;       // [1, OUTPUT_COLUMNS]

const LANES: u32 = 16u;
const ROWS_PER_WORKGROUP: u32 = 4u;
const COLUMN_QUADS: u32 = COLUMNS / 4u;

var<workgroup> partial_sums: array<f32, LANES * ROWS_PER_WORKGROUP>;

@compute @workgroup_size(LANES * ROWS_PER_WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let lane = thread % LANES;
    let row = workgroup.x * ROWS_PER_WORKGROUP + thread / LANES;

    var sum = 0.0;
    if (row < ROWS) {
        for (var quad = lane; quad < COLUMN_QUADS; quad += LANES) {
            sum += dot(dequantize4(row * COLUMN_QUADS + quad), input[quad]);
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
