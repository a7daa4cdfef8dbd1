// output[token, head, :] = softmax(query · keysᵀ) values, over the positions up to the token's own.
// Grouped-query attention (Ainslie et al., 2023). A workgroup takes TOKENS consecutive tokens and a KV head, so that the
// GROUP query heads of all of them share each load of a key and a value.
//
// Constants: HEADS, KV_HEADS, HEAD_DIM (a multiple of 64), TOKENS (of a workgroup).
#import step
#import read_kv_format
#import attention_tile

@group(0) @binding(0) var<uniform> step: Step;
@group(0) @binding(1) var<storage, read> qkv: array<vec4<f32>>;       // [tokens, HEADS + 2 KV_HEADS, HEAD_DIM / 4], queries scaled
@group(0) @binding(2) var<storage, read> keys: array<vec4<u32>>;      // [positions, KV_HEADS, HEAD_DIM / (4 KEY_QUADS)]
@group(0) @binding(3) var<storage, read> values: array<ValueQuad>;    // [positions, KV_HEADS, HEAD_DIM / 4]
@group(0) @binding(4) var<storage, read_write> output: array<f32>;    // [tokens, HEADS, HEAD_DIM]

const THREADS: u32 = 64u;
const TILE: u32 = 64u;                          // one position a thread
const GROUP: u32 = HEADS / KV_HEADS;
const ROWS: u32 = TOKENS * GROUP;               // [token, head of the group]
const DIMS_PER_THREAD: u32 = HEAD_DIM / THREADS;

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let first_token = workgroup.x * TOKENS;
    let tokens = min(TOKENS, step.rows - first_token);
    let kv_head = workgroup.y;
    let first_position = step.position + first_token;
    let positions = first_position + tokens;

    for (var i = thread; i < tokens * GROUP * HEAD_QUADS; i += THREADS) {
        let row = i / HEAD_QUADS;
        let dims = i % HEAD_QUADS;
        let head = (first_token + row / GROUP) * (HEADS + 2u * KV_HEADS) + kv_head * GROUP + row % GROUP;
        queries[query_index(row, dims)] = qkv[head * HEAD_QUADS + dims];
    }
    workgroupBarrier();

    // Written out, because Chromium 156 on SwiftShader zeroes a `var` without a value in a loop's first round only.
    var weighted = array<vec4<f32>, ROW_QUADS * DIMS_PER_THREAD>();
    for (var tile = 0u; tile < positions; tile += TILE) {
        let tile_positions = min(TILE, positions - tile);
        if (thread < tile_positions) {
            let position = tile + thread;
            let products = score(position * KV_HEADS + kv_head);
            for (var quad = 0u; quad < ROW_QUADS; quad++) {
                let row = 4u * quad + vec4<u32>(0u, 1u, 2u, 3u);
                let visible = vec4<u32>(position) <= first_position + row / GROUP;
                scores[thread * ROW_QUADS + quad] = select(vec4<f32>(MASKED), products[quad], visible);
            }
        }
        exponentiate(thread, tile_positions);

        for (var i = 0u; i < ROW_QUADS * DIMS_PER_THREAD; i++) {
            weighted[i] *= corrections[i / DIMS_PER_THREAD];
        }
        for (var i = 0u; i < tile_positions; i++) {
            for (var j = 0u; j < DIMS_PER_THREAD; j++) {
                let value = cached_value((tile + i) * KV_HEADS + kv_head, thread * DIMS_PER_THREAD + j);
                for (var quad = 0u; quad < ROW_QUADS; quad++) {
                    weighted[quad * DIMS_PER_THREAD + j] += scores[i * ROW_QUADS + quad] * value;
                }
            }
        }
        workgroupBarrier();
    }

    share_sum(thread);
    workgroupBarrier();
    for (var quad = 0u; quad < ROW_QUADS; quad++) {
        let sums = total(quad);
        for (var j = 0u; j < DIMS_PER_THREAD; j++) {
            let results = weighted[quad * DIMS_PER_THREAD + j] / sums;
            for (var i = 0u; i < 4u; i++) {
                let row = 4u * quad + i;
                if (row < tokens * GROUP) {
                    let head = (first_token + row / GROUP) * HEADS + kv_head * GROUP + row % GROUP;
                    output[head * HEAD_DIM + thread * DIMS_PER_THREAD + j] = results[i];
                }
            }
        }
    }
}
