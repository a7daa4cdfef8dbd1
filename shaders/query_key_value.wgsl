// qkv = [query; key; value] · x + bias with x the norm of the residual: the three projections of a single token.
// The matrices may be encoded differently; a workgroup's rows all belong to one of them.
//
// Constants: QUERY_ROWS, KEY_ROWS, VALUE_ROWS (multiples of 64), COLUMNS (a multiple of 32), EPSILON; THREADS, LANES and
// ROWS_PER_THREAD, see `shared/lanes.wgsl`.
@group(0) @binding(0) var<storage, read> input: array<vec4<f32>>;            // [1, COLUMNS / 4]
@group(0) @binding(1) var<storage, read> squares: array<vec4<f32>>;          // [COLUMNS / 32]
@group(0) @binding(2) var<storage, read> query_weights: array<vec4<u32>>;    // [QUERY_ROWS, COLUMNS], in planes
@group(0) @binding(3) var<storage, read> key_weights: array<vec4<u32>>;      // [KEY_ROWS, COLUMNS], in planes
@group(0) @binding(4) var<storage, read> value_weights: array<vec4<u32>>;    // [VALUE_ROWS, COLUMNS], in planes
@group(0) @binding(5) var<uniform> query_bias: array<vec4<f32>, QUERY_ROWS / 4u>;
@group(0) @binding(6) var<uniform> key_bias: array<vec4<f32>, KEY_ROWS / 4u>;
@group(0) @binding(7) var<uniform> value_bias: array<vec4<f32>, VALUE_ROWS / 4u>;
@group(0) @binding(8) var<storage, read_write> qkv: array<f32>;              // [1, QUERY_ROWS + KEY_ROWS + VALUE_ROWS]

const FIRST_VALUE_ROW: u32 = QUERY_ROWS + KEY_ROWS;
const VALUES: u32 = ROWS_PER_THREAD + 1u; // and the sum of squares

#import lanes
#import input_group
#import norm
#import products as query
#import products as key
#import products as value

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let workgroup_row = workgroup.x * ROWS_PER_WORKGROUP;
    let first_row = workgroup_row + thread / LANES * ROWS_PER_THREAD;
    // Not within the loop over columns: there it would cost every group of weights, on some devices three times the work.
    if (workgroup_row < QUERY_ROWS) {
        query_share_products(first_row, thread);
    } else if (workgroup_row < FIRST_VALUE_ROW) {
        key_share_products(first_row - QUERY_ROWS, thread);
    } else {
        value_share_products(first_row - FIRST_VALUE_ROW, thread);
    }
    share_squares(thread, ROWS_PER_THREAD);
    workgroupBarrier();
    if (thread < ROWS_PER_WORKGROUP) {
        let row_set = thread / ROWS_PER_THREAD;
        let row = workgroup_row + thread;
        let factor = norm_factor(sum_of_lanes(row_set, ROWS_PER_THREAD));
        qkv[row] = factor * sum_of_lanes(row_set, thread % ROWS_PER_THREAD) + bias(row);
    }
}

fn bias(row: u32) -> f32 {
    if (row < QUERY_ROWS) {
        return query_bias[row / 4u][row % 4u];
    }
    if (row < FIRST_VALUE_ROW) {
        return key_bias[(row - QUERY_ROWS) / 4u][row % 4u];
    }
    return value_bias[(row - FIRST_VALUE_ROW) / 4u][row % 4u];
}
