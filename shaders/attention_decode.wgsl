// What one token needs of attention, in one pass over its KV cache: normalises its queries and key where the model does,
// rotates them, appends its key and value, and computes output[head, :] = softmax(query · keysᵀ) values over the positions
// up to its own.
// Grouped-query attention (Ainslie et al., 2023). A workgroup takes a KV head and a split of SPLIT_POSITIONS positions;
// the GROUP query heads share each load of a key and a value. Where there is more than one split, each leaves partial
// results, which attention_reduce.wgsl merges (Dao et al., "Flash-Decoding", 2023).
//
// Constants: HEADS, KV_HEADS, HEAD_DIM (a multiple of 64, at most 256), QUERY_SCALE (1 / sqrt(HEAD_DIM)), SPLIT_POSITIONS;
// EPSILON where heads are normalised.
#import step
#import append_kv_format
#import loaded_heads
#import rotary
#import attention_tile

@group(0) @binding(0) var<uniform> step: Step;
@group(0) @binding(1) var<storage, read> qkv: array<vec4<f32>>;          // [HEADS + 2 KV_HEADS, HEAD_DIM / 4]
@group(0) @binding(2) var<storage, read> rotations: array<vec4<f32>>;    // [positions, HEAD_DIM / 4], (cos, sin) twice each
@group(0) @binding(3) var<storage, read_write> keys: array<vec4<u32>>;   // [positions, KV_HEADS, HEAD_DIM / (4 KEY_QUADS)]
@group(0) @binding(4) var<storage, read_write> values: array<ValueQuad>; // [positions, KV_HEADS, HEAD_DIM / 4]
@group(0) @binding(5) var<storage, read_write> output: array<f32>;       // [HEADS, HEAD_DIM], written where one split is all
@group(0) @binding(6) var<storage, read_write> partials: array<f32>;     // [splits, HEADS, HEAD_DIM + 2], otherwise

const THREADS: u32 = 128u;
const TILE: u32 = SPLIT_POSITIONS;              // the whole split
const GROUP: u32 = HEADS / KV_HEADS;
const ROWS: u32 = GROUP;
const HALF_QUADS: u32 = HEAD_DIM / 8u;
// In the product with the values a thread takes four dimensions, of every POSITION_LANES-th position.
const POSITION_LANES: u32 = THREADS / HEAD_QUADS;
const SHARED_LANES: u32 = (POSITION_LANES + 1u) / 2u;

var<workgroup> queries: array<vec4<f32>, 4u * ROW_QUADS * HEAD_QUADS>;  // [row / 4, HEAD_DIM / 4, row % 4], or zero

// Where dimensions 4 dims to 4 dims + 3 of a row are in `queries`.
fn query_index(row: u32, dims: u32) -> u32 {
    return ((row / 4u) * HEAD_QUADS + dims) * 4u + row % 4u;
}

// The same dimensions of four rows: a row vector times them is four scores.
fn four_queries(quad: u32, dims: u32) -> mat4x4<f32> {
    let i = query_index(4u * quad, dims);
    return mat4x4<f32>(queries[i], queries[i + 1u], queries[i + 2u], queries[i + 3u]);
}

// All queries times the key of `head`, which counts [positions, KV_HEADS].
fn score(head: u32) -> array<vec4<f32>, ROW_QUADS> {
    var products = array<vec4<f32>, ROW_QUADS>();
    for (var vector = 0u; vector < HEAD_QUADS / KEY_QUADS; vector++) {
        let key = cached_key(head, vector);
        for (var quad = 0u; quad < ROW_QUADS; quad++) {
            for (var i = 0u; i < KEY_QUADS; i++) {
                products[quad] += key[i] * four_queries(quad, vector * KEY_QUADS + i);
            }
        }
    }
    return products;
}

// Brings the query heads of the group into workgroup memory, rotated.
fn load_queries(kv_head: u32, thread: u32) {
    for (var i = thread; i < GROUP * HALF_QUADS; i += THREADS) {
        let head = i / HALF_QUADS;
        let quad = i % HALF_QUADS;
        let query = load_query((kv_head * GROUP + head) * HEAD_QUADS, quad);
        let rotated = rotate(query, quad, step.position);
        let scale = QUERY_SCALE * key_reach(kv_head, quad);
        queries[query_index(head, quad)] = rotated.low * scale;
        queries[query_index(head, quad + HALF_QUADS)] = rotated.high * scale;
    }
}

// Appends the token's key and value to the cache, at the same time: each has threads of its own.
fn append(kv_head: u32, thread: u32) {
    let key = (HEADS + kv_head) * HEAD_QUADS;
    let value = (HEADS + KV_HEADS + kv_head) * HEAD_QUADS;
    let head = step.position * KV_HEADS + kv_head;
    if (thread < HALF_QUADS / KEY_QUADS) {
        append_key(key, head, thread, step.position);
    }
    if (thread >= THREADS - HALF_QUADS) {
        append_value(value, head, thread - (THREADS - HALF_QUADS));
    }
}

// Where a position lane leaves its sums over `scores`, which is no longer needed then: [lane, row / 4, dim % 4, dim / 4].
fn sum_index(lane: u32, quad: u32, dim: u32) -> u32 {
    return ((lane * ROW_QUADS + quad) * 4u + dim % 4u) * HEAD_QUADS + dim / 4u;
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let kv_head = workgroup.x;
    let split = workgroup.y;
    let first = split * SPLIT_POSITIONS;
    let positions = clamp(step.position + 1u, first, first + SPLIT_POSITIONS) - first;

    load_queries(kv_head, thread);
    if (step.position / SPLIT_POSITIONS == split) {
        append(kv_head, thread);
    }
    storageBarrier();
    workgroupBarrier();

    for (var i = thread; i < positions; i += THREADS) {
        let products = score((first + i) * KV_HEADS + kv_head);
        for (var quad = 0u; quad < ROW_QUADS; quad++) {
            scores[i * ROW_QUADS + quad] = products[quad];
        }
    }
    exponentiate(thread, positions);

    let column = thread % HEAD_QUADS;
    let position_lane = thread / HEAD_QUADS;
    var weighted = array<vec4<f32>, 4u * ROW_QUADS>();
    if (position_lane < POSITION_LANES) {
        for (var i = position_lane; i < positions; i += POSITION_LANES) {
            let value = cached_value_quad((first + i) * KV_HEADS + kv_head, column);
            for (var quad = 0u; quad < ROW_QUADS; quad++) {
                let weights = scores[i * ROW_QUADS + quad];
                weighted[4u * quad] += weights * value.x;
                weighted[4u * quad + 1u] += weights * value.y;
                weighted[4u * quad + 2u] += weights * value.z;
                weighted[4u * quad + 3u] += weights * value.w;
            }
        }
    }
    share_sum(thread);
    workgroupBarrier();

    // The upper lanes leave their sums, the lower ones add theirs, and those are added up below.
    if (position_lane >= SHARED_LANES && position_lane < POSITION_LANES) {
        for (var i = 0u; i < 4u * ROW_QUADS; i++) {
            scores[sum_index(position_lane - SHARED_LANES, i / 4u, 4u * column + i % 4u)] = weighted[i];
        }
    }
    workgroupBarrier();
    if (position_lane < SHARED_LANES) {
        for (var i = 0u; i < 4u * ROW_QUADS; i++) {
            let index = sum_index(position_lane, i / 4u, 4u * column + i % 4u);
            if (position_lane + SHARED_LANES < POSITION_LANES) {
                weighted[i] += scores[index];
            }
            scores[index] = weighted[i];
        }
    }
    workgroupBarrier();

    let whole = step.position < SPLIT_POSITIONS;
    for (var i = thread; i < ROW_QUADS * HEAD_DIM; i += THREADS) {
        let quad = i / HEAD_DIM;
        let dim = i % HEAD_DIM;
        var all = vec4<f32>();
        for (var lane = 0u; lane < SHARED_LANES; lane++) {
            all += scores[sum_index(lane, quad, dim)];
        }
        let normalized = all / total(quad);
        for (var row = 4u * quad; row < min(4u * quad + 4u, GROUP); row++) {
            let head = kv_head * GROUP + row;
            if (whole) {
                output[head * HEAD_DIM + dim] = normalized[row % 4u];
            } else {
                partials[(split * HEADS + head) * (HEAD_DIM + 2u) + dim] = all[row % 4u];
            }
        }
    }
    if (!whole && thread < ROW_QUADS * LANES && thread % LANES == 0u) {
        let quad = thread / LANES;
        let sums = total(quad);
        for (var row = 4u * quad; row < min(4u * quad + 4u, GROUP); row++) {
            let end = (split * HEADS + kv_head * GROUP + row) * (HEAD_DIM + 2u) + HEAD_DIM;
            partials[end] = maximum[row % 4u];
            partials[end + 1u] = sums[row % 4u];
        }
    }
}
