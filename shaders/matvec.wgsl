// output[0, row] = weights[row, :] · input[0, :]: the product for a single token.
//
// Constants: ROWS, COLUMNS (a multiple of 32); OUTPUT_COLUMNS and OUTPUT_OFFSET, where the rows go in a wider output;
// THREADS, LANES and ROWS_PER_THREAD, see `shared/lanes.wgsl`.
@group(0) @binding(1) var<storage, read> weights: array<vec4<u32>>;      // [ROWS, COLUMNS], in planes
@group(0) @binding(2) var<storage, read> input: array<vec4<f32>>;        // [1, COLUMNS / 4]
@group(0) @binding(3) var<storage, read_write> output: array<f32>;       // [1, OUTPUT_COLUMNS]

const COLUMN_GROUPS: u32 = COLUMNS / 32u;
const VALUES: u32 = ROWS_PER_THREAD;

#import lanes
#import plain_input
#import product
#import epilogue

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let first_row = workgroup.x * ROWS_PER_WORKGROUP + thread / LANES * ROWS_PER_THREAD;
    var sums = array<f32, ROWS_PER_THREAD>();
    for (var group = thread % LANES; group < COLUMN_GROUPS; group += LANES) {
        let x = load_input(group * 8u);
        for (var i = 0u; i < ROWS_PER_THREAD; i++) {
            // Past the last row, the last one is computed again: its result is not stored.
            sums[i] += dot_group(min(first_row + i, ROWS - 1u) * COLUMN_GROUPS + group, x);
        }
    }
    for (var i = 0u; i < ROWS_PER_THREAD; i++) {
        share_sum(thread, i, sums[i]);
    }
    workgroupBarrier();
    let row = workgroup.x * ROWS_PER_WORKGROUP + thread;
    if (thread < ROWS_PER_WORKGROUP && row < ROWS) {
        store(0u, row, sum_of_lanes(thread / ROWS_PER_THREAD, thread % ROWS_PER_THREAD));
    }
}
