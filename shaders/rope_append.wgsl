// Rotates queries and keys by their position, scales the queries for attention, and appends keys and values to the
// KV cache. One thread takes four dimensions and their partners, of one head of one token.
//
// Constants: HEADS, KV_HEADS, HEAD_DIM, CONTEXT (positions of the cache), QUERY_SCALE (1 / sqrt(HEAD_DIM)).
#import step
#import kv_cache
#import rotary

@group(0) @binding(0) var<uniform> step: Step;
@group(0) @binding(1) var<storage, read_write> qkv: array<vec4<f32>>;    // [tokens, HEADS + 2 KV_HEADS, HEAD_DIM / 4]
@group(0) @binding(2) var<storage, read> rotations: array<vec4<f32>>;    // [CONTEXT, HEAD_DIM / 4], (cos, sin) twice each
@group(0) @binding(3) var<storage, read_write> keys: array<vec2<u32>>;   // [KV_HEADS, CONTEXT, HEAD_DIM / 4], four f16 each
@group(0) @binding(4) var<storage, read_write> values: array<vec2<u32>>; // [KV_HEADS, CONTEXT, HEAD_DIM / 4], four f16 each

const ALL_HEADS: u32 = HEADS + 2u * KV_HEADS;
const HEAD_QUADS: u32 = HEAD_DIM / 4u;
const HALF_QUADS: u32 = HEAD_DIM / 8u;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let token = id.y;
    let head = id.x / HALF_QUADS;
    let quad = id.x % HALF_QUADS;
    if (head >= ALL_HEADS) {
        return;
    }
    let source = (token * ALL_HEADS + head) * HEAD_QUADS;
    let position = step.position + token;

    if (head >= HEADS + KV_HEADS) {
        let cache = ((head - HEADS - KV_HEADS) * CONTEXT + position) * HEAD_QUADS + quad;
        values[cache] = pack(qkv[source + quad]);
        values[cache + HALF_QUADS] = pack(qkv[source + quad + HALF_QUADS]);
        return;
    }

    let rotated = rotate(source, quad, position);
    if (head < HEADS) {
        qkv[source + quad] = rotated.low * QUERY_SCALE;
        qkv[source + quad + HALF_QUADS] = rotated.high * QUERY_SCALE;
    } else {
        let cache = ((head - HEADS) * CONTEXT + position) * HEAD_QUADS + quad;
        keys[cache] = pack(rotated.low);
        keys[cache + HALF_QUADS] = pack(rotated.high);
    }
}
