// residual[0, :] = residual[rows - 1, :], attention[0, :] = attention[rows - 1, :], and `step` says that there is only this row:
// what follows is computed for the last token of the pass alone.
//
// One workgroup, so that the step changes after everyone has read it.
//
// Constants: RESIDUAL_COLUMNS, ATTENTION_COLUMNS (multiples of 4).
#import step

@group(0) @binding(0) var<storage, read_write> step: Step;
@group(0) @binding(1) var<storage, read_write> residual: array<vec4<f32>>;   // [rows, RESIDUAL_COLUMNS / 4]
@group(0) @binding(2) var<storage, read_write> attention: array<vec4<f32>>;  // [rows, ATTENTION_COLUMNS / 4]

const THREADS: u32 = 256u;

@compute @workgroup_size(THREADS)
fn main(@builtin(local_invocation_index) thread: u32) {
    let last = step.rows - 1u;
    for (var quad = thread; quad < RESIDUAL_COLUMNS / 4u; quad += THREADS) {
        residual[quad] = residual[last * (RESIDUAL_COLUMNS / 4u) + quad];
    }
    for (var quad = thread; quad < ATTENTION_COLUMNS / 4u; quad += THREADS) {
        attention[quad] = attention[last * (ATTENTION_COLUMNS / 4u) + quad];
    }
    storageBarrier();
    if (thread == 0u) {
        step.rows = 1u;
        step.position += last;
    }
}
