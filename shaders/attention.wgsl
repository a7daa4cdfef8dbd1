// output[token, head, :] = softmax(query · keysᵀ) values, over the positions up to the token's own.
// Grouped-query attention (Ainslie et al., 2023): the GROUP query heads that share a KV head share each load of it.
// One workgroup a token and KV head; positions in tiles of 64 with a running maximum and sum (Milakov and
// Gimelshein, "Online normalizer calculation for softmax", 2018).
//
// Constants: HEADS, KV_HEADS, HEAD_DIM (a multiple of 64), CONTEXT (positions of the cache).
#import step

@group(0) @binding(0) var<uniform> step: Step;
@group(0) @binding(1) var<storage, read> qkv: array<f32>;             // [tokens, HEADS + 2 KV_HEADS, HEAD_DIM], queries scaled
@group(0) @binding(2) var<storage, read> keys: array<u32>;            // [KV_HEADS, CONTEXT, HEAD_DIM / 2], two f16 each
@group(0) @binding(3) var<storage, read> values: array<u32>;          // [KV_HEADS, CONTEXT, HEAD_DIM / 2], two f16 each
@group(0) @binding(4) var<storage, read_write> output: array<f32>;    // [tokens, HEADS, HEAD_DIM]

const THREADS: u32 = 64u;
const TILE: u32 = 64u;                          // positions a tile, one a thread
const GROUP: u32 = HEADS / KV_HEADS;
const PAIRS: u32 = HEAD_DIM / 2u;
const DIMS_PER_THREAD: u32 = HEAD_DIM / THREADS;
const MASKED: f32 = -3.4e38;                    // not -inf, whose difference with itself is not a number

var<workgroup> query: array<vec2<f32>, GROUP * PAIRS>;
var<workgroup> scores: array<f32, GROUP * TILE>;      // then their exponentials
var<workgroup> maximum: array<f32, GROUP>;            // of all tiles so far
var<workgroup> correction: array<f32, GROUP>;         // what sums from before this tile are to be multiplied by

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let token = workgroup.x;
    let kv_head = workgroup.y;
    let positions = step.position + token + 1u;
    let cache = kv_head * CONTEXT * PAIRS;

    let query_start = (token * (HEADS + 2u * KV_HEADS) + kv_head * GROUP) * HEAD_DIM;
    for (var pair = thread; pair < GROUP * PAIRS; pair += THREADS) {
        query[pair] = vec2<f32>(qkv[query_start + 2u * pair], qkv[query_start + 2u * pair + 1u]);
    }
    if (thread < GROUP) {
        maximum[thread] = MASKED;
    }

    var weighted = array<f32, GROUP * DIMS_PER_THREAD>();
    var sums = array<f32, GROUP>();
    for (var tile = 0u; tile < positions; tile += TILE) {
        workgroupBarrier();
        let position = tile + thread;
        // Written out, because Chromium 156 on SwiftShader zeroes a `var` without a value in the first round only.
        var score = array<f32, GROUP>();
        if (position < positions) {
            for (var pair = 0u; pair < PAIRS; pair++) {
                let key = unpack2x16float(keys[cache + position * PAIRS + pair]);
                for (var head = 0u; head < GROUP; head++) {
                    score[head] += dot(query[head * PAIRS + pair], key);
                }
            }
        }
        for (var head = 0u; head < GROUP; head++) {
            scores[head * TILE + thread] = select(MASKED, score[head], position < positions);
        }
        workgroupBarrier();

        if (thread < GROUP) {
            var largest = maximum[thread];
            for (var i = 0u; i < TILE; i++) {
                largest = max(largest, scores[thread * TILE + i]);
            }
            correction[thread] = exp(maximum[thread] - largest);
            maximum[thread] = largest;
        }
        workgroupBarrier();
        for (var head = 0u; head < GROUP; head++) {
            scores[head * TILE + thread] = exp(scores[head * TILE + thread] - maximum[head]);
        }
        workgroupBarrier();

        for (var i = 0u; i < GROUP * DIMS_PER_THREAD; i++) {
            weighted[i] *= correction[i / DIMS_PER_THREAD];
        }
        for (var head = 0u; head < GROUP; head++) {
            sums[head] *= correction[head];
        }
        let tile_positions = min(TILE, positions - tile);
        for (var i = 0u; i < tile_positions; i++) {
            for (var head = 0u; head < GROUP; head++) {
                sums[head] += scores[head * TILE + i];
            }
            for (var j = 0u; j < DIMS_PER_THREAD; j++) {
                let dim = thread * DIMS_PER_THREAD + j;
                let value = unpack2x16float(values[cache + (tile + i) * PAIRS + dim / 2u])[dim % 2u];
                for (var head = 0u; head < GROUP; head++) {
                    weighted[head * DIMS_PER_THREAD + j] += scores[head * TILE + i] * value;
                }
            }
        }
    }

    let output_start = (token * HEADS + kv_head * GROUP) * HEAD_DIM;
    for (var head = 0u; head < GROUP; head++) {
        for (var j = 0u; j < DIMS_PER_THREAD; j++) {
            let dim = thread * DIMS_PER_THREAD + j;
            output[output_start + head * HEAD_DIM + dim] = weighted[head * DIMS_PER_THREAD + j] / sums[head];
        }
    }
}
