// qkv = [query; key; value] · rms_norm(residual) + bias: the three projections of a single token, and the norm before them.
// The matrices may be encoded differently; a workgroup's rows all belong to one of them.
//
// Constants: QUERY_ROWS, KEY_ROWS, VALUE_ROWS (multiples of 64), COLUMNS (a multiple of 32), EPSILON; THREADS, LANES and
// ROWS_PER_THREAD, see `shared/lanes.wgsl`.
@group(0) @binding(0) var<storage, read> residual: array<vec4<f32>>;         // [1, COLUMNS / 4]
@group(0) @binding(1) var<storage, read> norm: array<vec4<f32>>;             // [COLUMNS / 4]
@group(0) @binding(2) var<storage, read> query_weights: array<vec4<u32>>;    // [QUERY_ROWS, COLUMNS], in planes
@group(0) @binding(3) var<storage, read> key_weights: array<vec4<u32>>;      // [KEY_ROWS, COLUMNS], in planes
@group(0) @binding(4) var<storage, read> value_weights: array<vec4<u32>>;    // [VALUE_ROWS, COLUMNS], in planes
@group(0) @binding(5) var<uniform> query_bias: array<vec4<f32>, QUERY_ROWS / 4u>;
@group(0) @binding(6) var<uniform> key_bias: array<vec4<f32>, KEY_ROWS / 4u>;
@group(0) @binding(7) var<uniform> value_bias: array<vec4<f32>, VALUE_ROWS / 4u>;
@group(0) @binding(8) var<storage, read_write> qkv: array<f32>;              // [1, QUERY_ROWS + KEY_ROWS + VALUE_ROWS]

const COLUMN_GROUPS: u32 = COLUMNS / 32u;
const FIRST_VALUE_ROW: u32 = QUERY_ROWS + KEY_ROWS;
const VALUES: u32 = ROWS_PER_THREAD + 1u; // and the sum of squares

#import lanes
#import normalized_input
#import product as query
#import product as key
#import product as value

fn product(row: u32, group: u32, x: InputGroup) -> f32 {
    if (row < QUERY_ROWS) {
        return query_dot_group(row * COLUMN_GROUPS + group, x);
    }
    if (row < FIRST_VALUE_ROW) {
        return key_dot_group((row - QUERY_ROWS) * COLUMN_GROUPS + group, x);
    }
    return value_dot_group((row - FIRST_VALUE_ROW) * COLUMN_GROUPS + group, x);
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

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let first_row = workgroup.x * ROWS_PER_WORKGROUP + thread / LANES * ROWS_PER_THREAD;
    var sums = array<f32, ROWS_PER_THREAD>();
    var squares = 0.0;
    for (var group = thread % LANES; group < COLUMN_GROUPS; group += LANES) {
        let x = load_input(0u, group * 8u);
        squares += x.squares;
        for (var i = 0u; i < ROWS_PER_THREAD; i++) {
            sums[i] += product(first_row + i, group, x);
        }
    }
    for (var i = 0u; i < ROWS_PER_THREAD; i++) {
        share_sum(thread, i, sums[i]);
    }
    share_sum(thread, ROWS_PER_THREAD, squares);
    workgroupBarrier();
    if (thread < ROWS_PER_WORKGROUP) {
        let row_set = thread / ROWS_PER_THREAD;
        let row = workgroup.x * ROWS_PER_WORKGROUP + thread;
        let factor = norm_factor(sum_of_lanes(row_set, ROWS_PER_THREAD));
        qkv[row] = factor * sum_of_lanes(row_set, thread % ROWS_PER_THREAD) + bias(row);
    }
}
