// logits[row] = penalised head[row, :] · x with x the norm of the residual: what a token is sampled from. A workgroup computes a
// block of 32 rows and keeps their largest logit, so that `sample.wgsl` need not look at all of them: infinity where one of them
// is not finite.
// The head may be split by rows into shards, of a dispatch each.
//
// Constants: ROWS and FIRST_ROW (a multiple of 32) of this shard, COLUMNS (a multiple of 32), EPSILON; THREADS, LANES and
// ROWS_PER_THREAD, see `shared/lanes.wgsl`: 32 rows a workgroup.
#import sampling_settings

@group(0) @binding(0) var<uniform> settings: SamplingSettings;
@group(0) @binding(1) var<storage, read> input: array<vec4<f32>>;            // [1, COLUMNS / 4]
@group(0) @binding(2) var<storage, read> squares: array<vec4<f32>>;          // [COLUMNS / 32]
@group(0) @binding(3) var<storage, read> weights: array<vec4<u32>>;          // [ROWS, COLUMNS], in planes
@group(0) @binding(4) var<storage, read> occurrences: array<u32>;            // [vocabulary]
@group(0) @binding(5) var<storage, read_write> logits: array<f32>;           // [vocabulary]
@group(0) @binding(6) var<storage, read_write> block_maxima: array<u32>;     // f32 [vocabulary / 32, rounded up]

const VALUES: u32 = ROWS_PER_THREAD + 1u; // and the sum of squares

#import lanes
#import input_group
#import norm
#import products
#import penalize
#import block_maximum

var<workgroup> block: array<f32, ROWS_PER_WORKGROUP>;

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let first_row = workgroup.x * ROWS_PER_WORKGROUP + thread / LANES * ROWS_PER_THREAD;
    share_products(first_row, thread);
    share_squares(thread, ROWS_PER_THREAD);
    workgroupBarrier();
    if (thread < ROWS_PER_WORKGROUP) {
        let row_set = thread / ROWS_PER_THREAD;
        let row = workgroup.x * ROWS_PER_WORKGROUP + thread;
        let token = FIRST_ROW + row;
        block[thread] = MASKED;
        if (row < ROWS) {
            let sum_of_squares = sum_of_lanes(row_set, ROWS_PER_THREAD);
            let product = norm_factor(sum_of_squares) * sum_of_lanes(row_set, thread % ROWS_PER_THREAD);
            let logit = penalize(product, occurrences[token]);
            logits[token] = logit;
            if (token < settings.choices) {
                // Divided by a root of infinity, a residual out of range would pass for zeros.
                block[thread] = select(sum_of_squares, logit, is_finite(sum_of_squares));
            }
        }
    }
    workgroupBarrier();
    if (thread == 0u) {
        let maximum = block_maximum(0u, ROWS_PER_WORKGROUP);
        block_maxima[FIRST_ROW / ROWS_PER_WORKGROUP + workgroup.x] = maximum;
    }
}
