// output[token, row] = weights[row, :] · input[token, :] for up to TOKENS tokens: too few for the tiles of `matmul.wgsl`. As in
// `matvec.wgsl`, but what a lane decodes of a row serves all tokens.
//
// Constants: ROWS, COLUMNS (a multiple of 32); OUTPUT_COLUMNS and OUTPUT_OFFSET, where the rows go in a wider output; TOKENS;
// THREADS, LANES and ROWS_PER_THREAD, see `shared/lanes.wgsl`.
#import step

@group(0) @binding(0) var<uniform> step: Step;
@group(0) @binding(1) var<storage, read> weights: array<vec4<u32>>;      // [ROWS, COLUMNS], in planes
@group(0) @binding(2) var<storage, read> input: array<vec4<f32>>;        // [tokens, COLUMNS / 4]
@group(0) @binding(3) var<storage, read_write> output: array<f32>;       // [tokens, OUTPUT_COLUMNS]

const COLUMN_GROUPS: u32 = COLUMNS / 32u;
const VALUES: u32 = ROWS_PER_THREAD * TOKENS;

#import lanes
#import format
#import epilogue

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let first_row = workgroup.x * ROWS_PER_WORKGROUP + thread / LANES * ROWS_PER_THREAD;
    var sums = array<f32, VALUES>(); // [ROWS_PER_THREAD, TOKENS]
    for (var group = thread % LANES; group < COLUMN_GROUPS; group += LANES) {
        for (var i = 0u; i < ROWS_PER_THREAD; i++) {
            // Past the last row, the last one is computed again: its result is not stored.
            let w = load_group(min(first_row + i, ROWS - 1u) * COLUMN_GROUPS + group);
            for (var part = 0u; part < 8u; part++) {
                let four = dequantize_part(w, part);
                // With constant bounds, so that the sums stay in registers; all threads take the same way at the condition.
                for (var token = 0u; token < TOKENS; token++) {
                    if (token < step.rows) {
                        sums[i * TOKENS + token] += dot(four, input[token * (COLUMNS / 4u) + group * 8u + part]);
                    }
                }
            }
        }
    }
    for (var value = 0u; value < VALUES; value++) {
        share_sum(thread, value, sums[value]);
    }
    workgroupBarrier();
    for (var index = thread; index < ROWS_PER_WORKGROUP * step.rows; index += THREADS) {
        let row = index % ROWS_PER_WORKGROUP;
        let token = index / ROWS_PER_WORKGROUP;
        if (workgroup.x * ROWS_PER_WORKGROUP + row < ROWS) {
            let value = row % ROWS_PER_THREAD * TOKENS + token;
            store(token, workgroup.x * ROWS_PER_WORKGROUP + row, sum_of_lanes(row / ROWS_PER_THREAD, value));
        }
    }
}
