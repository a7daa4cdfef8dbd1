// Normalises queries and keys where the model does, rotates them by their position, scales the queries for attention, and
// appends keys and values to the KV cache. One thread takes four dimensions and their partners, of one head of one token.
//
// Constants: HEADS, KV_HEADS, HEAD_DIM, QUERY_SCALE (1 / sqrt(HEAD_DIM)); EPSILON where heads are normalised.
#import step
#import kv_cache
#import loaded_heads
#import rotary

@group(0) @binding(0) var<uniform> step: Step;
@group(0) @binding(1) var<storage, read_write> qkv: array<vec4<f32>>;    // [tokens, HEADS + 2 KV_HEADS, HEAD_DIM / 4]
@group(0) @binding(2) var<storage, read> rotations: array<vec4<f32>>;    // [positions, HEAD_DIM / 4], (cos, sin) twice each
@group(0) @binding(3) var<storage, read_write> keys: array<vec2<u32>>;   // [positions, KV_HEADS, HEAD_DIM / 4], four f16 each
@group(0) @binding(4) var<storage, read_write> values: array<vec2<u32>>; // [positions, KV_HEADS, HEAD_DIM / 4], four f16 each

const ALL_HEADS: u32 = HEADS + 2u * KV_HEADS;
const HEAD_QUADS: u32 = HEAD_DIM / 4u;
const HALF_QUADS: u32 = HEAD_DIM / 8u;
const HEADS_PER_WORKGROUP: u32 = 64u / HALF_QUADS;

// What a thread takes of a head: a query or key is normalised where the model does that.
fn load(head: u32, source: u32, quad: u32) -> HeadPart {
    if (head < HEADS) {
        return load_query(source, quad);
    }
    if (head < HEADS + KV_HEADS) {
        return load_key(source, quad);
    }
    return load_head_part(source, quad);
}

@compute @workgroup_size(HEADS_PER_WORKGROUP * HALF_QUADS)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let token = workgroup.y;
    // Past the last head, the last one is loaded again: nothing is stored then.
    let wanted_head = workgroup.x * HEADS_PER_WORKGROUP + thread / HALF_QUADS;
    let head = min(wanted_head, ALL_HEADS - 1u);
    let quad = thread % HALF_QUADS;
    let source = (token * ALL_HEADS + head) * HEAD_QUADS;
    let position = step.position + token;

    let part = load(head, source, quad);
    // A norm reads all of a head, and queries are stored where they were.
    storageBarrier();
    if (head != wanted_head) {
        return;
    }

    if (head >= HEADS + KV_HEADS) {
        let cache = (position * KV_HEADS + head - HEADS - KV_HEADS) * HEAD_QUADS + quad;
        values[cache] = pack(part.low);
        values[cache + HALF_QUADS] = pack(part.high);
        return;
    }

    let rotated = rotate(part, quad, position);
    if (head < HEADS) {
        qkv[source + quad] = rotated.low * QUERY_SCALE;
        qkv[source + quad + HALF_QUADS] = rotated.high * QUERY_SCALE;
    } else {
        let cache = (position * KV_HEADS + head - HEADS) * HEAD_QUADS + quad;
        keys[cache] = pack(rotated.low);
        keys[cache + HALF_QUADS] = pack(rotated.high);
    }
}
