// output[token, head, :] = softmax(query · keysᵀ) values, over the positions up to the token's own.
// Grouped-query attention (Ainslie et al., 2023). A workgroup takes TOKENS consecutive tokens and a KV head, so that the
// GROUP query heads of all of them share each load of a key and a value. A thread computes blocks of 4 × 4 numbers, of scores
// (four positions, four rows) and of the output (four dimensions, four rows): each load serves four of them.
//
// Constants: HEADS, KV_HEADS, HEAD_DIM (a multiple of 64), TOKENS (of a workgroup).
#import step
#import read_kv_format
#import attention_tile

@group(0) @binding(0) var<uniform> step: Step;
@group(0) @binding(1) var<storage, read> qkv: array<vec4<f32>>;       // [tokens, HEADS + 2 KV_HEADS, HEAD_DIM / 4], queries scaled
@group(0) @binding(2) var<storage, read> keys: array<vec4<u32>>;      // [positions, KV_HEADS, HEAD_DIM / (4 KEY_QUADS)]
@group(0) @binding(3) var<storage, read> values: array<ValueQuad>;    // [positions, KV_HEADS, HEAD_DIM / 4]
@group(0) @binding(4) var<storage, read_write> output: array<vec4<f32>>; // [tokens, HEADS, HEAD_DIM / 4]

const THREADS: u32 = 64u;
const TILE: u32 = 64u;
const GROUP: u32 = HEADS / KV_HEADS;
const ROWS: u32 = TOKENS * GROUP;               // [token, head of the group]
const SCORE_BLOCKS: u32 = ROW_QUADS * (TILE / 4u);      // [row / 4, position / 4]
const OUTPUT_BLOCKS: u32 = ROW_QUADS * HEAD_QUADS;      // [row / 4, dim / 4]
const THREAD_OUTPUT_BLOCKS: u32 = (OUTPUT_BLOCKS + THREADS - 1u) / THREADS;

// Four rows of queries, which start at `rows`, times the keys of `first` and the three positions after it: a column for each.
// Past the last position, the last one is read again.
fn score_block(rows: vec4<u32>, kv_head: u32, first: u32, last: u32) -> mat4x4<f32> {
    let head0 = first * KV_HEADS + kv_head;
    let head1 = min(first + 1u, last) * KV_HEADS + kv_head;
    let head2 = min(first + 2u, last) * KV_HEADS + kv_head;
    let head3 = min(first + 3u, last) * KV_HEADS + kv_head;
    var products = mat4x4<f32>();
    for (var vector = 0u; vector < HEAD_QUADS / KEY_QUADS; vector++) {
        let key0 = cached_key(head0, vector);
        let key1 = cached_key(head1, vector);
        let key2 = cached_key(head2, vector);
        let key3 = cached_key(head3, vector);
        for (var i = 0u; i < KEY_QUADS; i++) {
            let quad = rows + vector * KEY_QUADS + i;
            let queries = mat4x4<f32>(qkv[quad.x], qkv[quad.y], qkv[quad.z], qkv[quad.w]);
            products[0] += key0[i] * queries;
            products[1] += key1[i] * queries;
            products[2] += key2[i] * queries;
            products[3] += key3[i] * queries;
        }
    }
    return products;
}

// Where rows 4 quad to 4 quad + 3 start in `qkv`. Past the last row, the last one is read again: its results are not stored.
fn row_starts(quad: u32, first_token: u32, tokens: u32, kv_head: u32) -> vec4<u32> {
    let row = min(4u * quad + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(tokens * GROUP - 1u));
    return ((first_token + row / GROUP) * (HEADS + 2u * KV_HEADS) + kv_head * GROUP + row % GROUP) * HEAD_QUADS;
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let first_token = workgroup.x * TOKENS;
    let tokens = min(TOKENS, step.rows - first_token);
    let kv_head = workgroup.y;
    let first_position = step.position + first_token;
    let positions = first_position + tokens;

    // Of each block of the output, a column for a dimension.
    // Written out, because Chromium 156 on SwiftShader zeroes a `var` without a value in a loop's first round only.
    var weighted = array<mat4x4<f32>, THREAD_OUTPUT_BLOCKS>();
    for (var tile = 0u; tile < positions; tile += TILE) {
        let tile_positions = min(TILE, positions - tile);
        for (var block = thread; block < SCORE_BLOCKS; block += THREADS) {
            let quad = block / (TILE / 4u);
            let i = block % (TILE / 4u) * 4u;
            if (i < tile_positions) {
                let rows = row_starts(quad, first_token, tokens, kv_head);
                let products = score_block(rows, kv_head, tile + i, positions - 1u);
                let last_visible = first_position + (4u * quad + vec4<u32>(0u, 1u, 2u, 3u)) / GROUP;
                for (var j = 0u; j < 4u; j++) {
                    let visible = vec4<u32>(tile + i + j) <= last_visible;
                    scores[(i + j) * ROW_QUADS + quad] = select(vec4<f32>(MASKED), products[j], visible);
                }
            }
        }
        exponentiate(thread, tile_positions);

        for (var n = 0u; n < THREAD_OUTPUT_BLOCKS; n++) {
            let block = thread + n * THREADS;
            let quad = block / HEAD_QUADS;
            if (quad < ROW_QUADS) {
                let correction = corrections[quad];
                var sums = mat4x4<f32>(
                    weighted[n][0] * correction,
                    weighted[n][1] * correction,
                    weighted[n][2] * correction,
                    weighted[n][3] * correction,
                );
                for (var i = 0u; i < tile_positions; i++) {
                    let value = cached_value_quad((tile + i) * KV_HEADS + kv_head, block % HEAD_QUADS);
                    let weights = scores[i * ROW_QUADS + quad];
                    sums[0] += weights * value.x;
                    sums[1] += weights * value.y;
                    sums[2] += weights * value.z;
                    sums[3] += weights * value.w;
                }
                weighted[n] = sums;
            }
        }
        workgroupBarrier();
    }

    share_sum(thread);
    workgroupBarrier();
    for (var n = 0u; n < THREAD_OUTPUT_BLOCKS; n++) {
        let block = thread + n * THREADS;
        let quad = block / HEAD_QUADS;
        if (quad < ROW_QUADS) {
            let rows = transpose(weighted[n]);
            let sums = total(quad);
            for (var row = 4u * quad; row < min(4u * quad + 4u, tokens * GROUP); row++) {
                let head = (first_token + row / GROUP) * HEADS + kv_head * GROUP + row % GROUP;
                output[head * HEAD_QUADS + block % HEAD_QUADS] = rows[row % 4u] / sums[row % 4u];
            }
        }
    }
}
