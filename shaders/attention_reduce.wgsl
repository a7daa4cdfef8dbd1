// output[head, :] = what the splits of attention_decode.wgsl left, merged: each split's sums are relative to its own
// maximum, so they are first made relative to the largest of all (Dao et al., "Flash-Decoding", 2023).
// One thread a dimension of a head.
//
// Constants: HEADS, HEAD_DIM, SPLIT_POSITIONS.
#import step

@group(0) @binding(0) var<uniform> step: Step;
@group(0) @binding(1) var<storage, read> partials: array<f32>;        // [splits, HEADS, HEAD_DIM + 2]: sums, maximum, sum of weights
@group(0) @binding(2) var<storage, read_write> output: array<f32>;    // [HEADS, HEAD_DIM]

const ROW: u32 = HEAD_DIM + 2u;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let head = id.x / HEAD_DIM;
    let dim = id.x % HEAD_DIM;
    let splits = step.position / SPLIT_POSITIONS + 1u;

    var maximum = partials[head * ROW + HEAD_DIM];
    for (var split = 1u; split < splits; split++) {
        maximum = max(maximum, partials[(split * HEADS + head) * ROW + HEAD_DIM]);
    }
    var weighted = 0.0;
    var sum = 0.0;
    for (var split = 0u; split < splits; split++) {
        let start = (split * HEADS + head) * ROW;
        let correction = exp(partials[start + HEAD_DIM] - maximum);
        weighted += correction * partials[start + dim];
        sum += correction * partials[start + HEAD_DIM + 1u];
    }
    output[id.x] = weighted / sum;
}
