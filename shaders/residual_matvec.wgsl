// residual[0, row] += weights[row, :] · input[0, :], and what the products after the next norm want of it: the product for a
// single token that ends attention or the feed-forward layer.
//
// Constants: ROWS (a multiple of 8), COLUMNS (a multiple of 32); THREADS, LANES and ROWS_PER_THREAD, see `shared/lanes.wgsl`:
// a multiple of 8 rows a workgroup.
@group(0) @binding(0) var<storage, read> weights: array<vec4<u32>>;          // [ROWS, COLUMNS], in planes
@group(0) @binding(1) var<storage, read> input: array<vec4<f32>>;            // [1, COLUMNS / 4]
@group(0) @binding(2) var<storage, read_write> residual: array<f32>;         // [1, ROWS]
@group(0) @binding(3) var<storage, read> norm: array<f32>;                   // [ROWS]
@group(0) @binding(4) var<storage, read_write> weighed: array<f32>;          // [1, ROWS]
@group(0) @binding(5) var<storage, read_write> squares: array<f32>;          // [ROWS / 8]

const VALUES: u32 = ROWS_PER_THREAD;

#import lanes
#import input_group
#import products

var<workgroup> row_squares: array<f32, ROWS_PER_WORKGROUP>;

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let first_row = workgroup.x * ROWS_PER_WORKGROUP;
    share_products(first_row + thread / LANES * ROWS_PER_THREAD, thread);
    workgroupBarrier();
    let row = first_row + thread;
    if (thread < ROWS_PER_WORKGROUP && row < ROWS) {
        let sum = residual[row] + sum_of_lanes(thread / ROWS_PER_THREAD, thread % ROWS_PER_THREAD);
        residual[row] = sum;
        weighed[row] = sum * norm[row];
        row_squares[thread] = sum * sum;
    }
    workgroupBarrier();
    if (thread < ROWS_PER_WORKGROUP / 8u && first_row + thread * 8u < ROWS) {
        var sum = 0.0;
        for (var i = 0u; i < 8u; i++) {
            sum += row_squares[thread * 8u + i];
        }
        squares[first_row / 8u + thread] = sum;
    }
}
