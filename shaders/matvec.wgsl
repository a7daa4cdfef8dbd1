// output[0, row] = weights[row, :] · input[0, :]: the product for a single token.
//
// Constants: ROWS, COLUMNS (a multiple of 32); OUTPUT_COLUMNS and OUTPUT_OFFSET, where the rows go in a wider output;
// THREADS, LANES and ROWS_PER_THREAD, see `shared/lanes.wgsl`.
@group(0) @binding(1) var<storage, read> weights: array<vec4<u32>>;      // [ROWS, COLUMNS], in planes
@group(0) @binding(2) var<storage, read> input: array<vec4<f32>>;        // [1, COLUMNS / 4]
@group(0) @binding(3) var<storage, read_write> output: array<f32>;       // [1, OUTPUT_COLUMNS]

const VALUES: u32 = ROWS_PER_THREAD;

#import lanes
#import input_group
#import products
#import epilogue

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    share_products(workgroup.x * ROWS_PER_WORKGROUP + thread / LANES * ROWS_PER_THREAD, thread);
    workgroupBarrier();
    let row = workgroup.x * ROWS_PER_WORKGROUP + thread;
    if (thread < ROWS_PER_WORKGROUP && row < ROWS) {
        store(0u, row, sum_of_lanes(thread / ROWS_PER_THREAD, thread % ROWS_PER_THREAD));
    }
}
