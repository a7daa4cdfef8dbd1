// hidden[row] = silu(gate[row, :] · x) * (up[row, :] · x) with x the norm of the residual: the first half of the feed-forward
// layer for a single token. Shazeer, "GLU Variants Improve Transformer" (2020): SwiGLU.
//
// Constants: ROWS of either matrix, as GATE_ROWS and UP_ROWS (a multiple of 32), COLUMNS (a multiple of 32), EPSILON; THREADS,
// LANES and ROWS_PER_THREAD, see `shared/lanes.wgsl`.
@group(0) @binding(0) var<storage, read> input: array<vec4<f32>>;            // [1, COLUMNS / 4]
@group(0) @binding(1) var<storage, read> squares: array<vec4<f32>>;          // [COLUMNS / 32]
@group(0) @binding(2) var<storage, read> gate_weights: array<vec4<u32>>;     // [GATE_ROWS, COLUMNS], in planes
@group(0) @binding(3) var<storage, read> up_weights: array<vec4<u32>>;       // [UP_ROWS, COLUMNS], in planes
@group(0) @binding(4) var<storage, read_write> hidden: array<f32>;           // [1, GATE_ROWS]

const COLUMN_GROUPS: u32 = COLUMNS / 32u;
const VALUES: u32 = 2u * ROWS_PER_THREAD + 1u; // gate, up, and the sum of squares

#import lanes
#import input_group
#import norm
#import product as gate
#import product as up
#import silu

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let first_row = workgroup.x * ROWS_PER_WORKGROUP + thread / LANES * ROWS_PER_THREAD;
    var gate_sums = array<f32, ROWS_PER_THREAD>();
    var up_sums = array<f32, ROWS_PER_THREAD>();
    for (var group = thread % LANES; group < COLUMN_GROUPS; group += LANES) {
        let x = load_input(group);
        for (var i = 0u; i < ROWS_PER_THREAD; i++) {
            let weight_group = (first_row + i) * COLUMN_GROUPS + group;
            gate_sums[i] += gate_dot_group(weight_group, x);
            up_sums[i] += up_dot_group(weight_group, x);
        }
    }
    for (var i = 0u; i < ROWS_PER_THREAD; i++) {
        share_sum(thread, i, gate_sums[i]);
        share_sum(thread, ROWS_PER_THREAD + i, up_sums[i]);
    }
    share_squares(thread, 2u * ROWS_PER_THREAD);
    workgroupBarrier();
    if (thread < ROWS_PER_WORKGROUP) {
        let row_set = thread / ROWS_PER_THREAD;
        let i = thread % ROWS_PER_THREAD;
        let factor = norm_factor(sum_of_lanes(row_set, 2u * ROWS_PER_THREAD));
        let gate = factor * sum_of_lanes(row_set, i);
        let up = factor * sum_of_lanes(row_set, ROWS_PER_THREAD + i);
        hidden[workgroup.x * ROWS_PER_WORKGROUP + thread] = silu(vec4<f32>(gate)).x * up;
    }
}
