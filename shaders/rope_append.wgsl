// Normalises queries and keys where the model does, rotates them by their position, scales the queries for attention, and
// appends keys and values to the KV cache. One thread takes four dimensions and their partners, of one head of one token; of
// a key as many as are stored in one vector.
//
// Constants: HEADS, KV_HEADS, HEAD_DIM, QUERY_SCALE (1 / sqrt(HEAD_DIM)); EPSILON where heads are normalised.
#import step
#import append_kv_format
#import loaded_heads
#import rotary

@group(0) @binding(0) var<uniform> step: Step;
@group(0) @binding(1) var<storage, read_write> qkv: array<vec4<f32>>;    // [tokens, HEADS + 2 KV_HEADS, HEAD_DIM / 4]
@group(0) @binding(2) var<storage, read> rotations: array<vec4<f32>>;    // [positions, HEAD_DIM / 4], (cos, sin) twice each
@group(0) @binding(3) var<storage, read_write> keys: array<vec4<u32>>;   // [positions, KV_HEADS, HEAD_DIM / (4 KEY_QUADS)]
@group(0) @binding(4) var<storage, read_write> values: array<ValueQuad>; // [positions, KV_HEADS, HEAD_DIM / 4]

const ALL_HEADS: u32 = HEADS + 2u * KV_HEADS;
const HEAD_QUADS: u32 = HEAD_DIM / 4u;
const HALF_QUADS: u32 = HEAD_DIM / 8u;
const HEADS_PER_WORKGROUP: u32 = 64u / HALF_QUADS;

@compute @workgroup_size(HEADS_PER_WORKGROUP * HALF_QUADS)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let token = workgroup.y;
    // Past the last head, the last one is loaded again: nothing is stored then.
    let wanted_head = workgroup.x * HEADS_PER_WORKGROUP + thread / HALF_QUADS;
    let head = min(wanted_head, ALL_HEADS - 1u);
    let quad = thread % HALF_QUADS;
    let source = (token * ALL_HEADS + head) * HEAD_QUADS;
    let position = step.position + token;

    var query = HeadPart();
    if (head < HEADS) {
        query = load_query(source, quad);
    }
    // A norm reads all of a head, and queries are stored where they were.
    storageBarrier();
    if (head != wanted_head) {
        return;
    }

    if (head < HEADS) {
        let rotated = rotate(query, quad, position);
        let scale = QUERY_SCALE * key_reach(head / (HEADS / KV_HEADS), quad);
        qkv[source + quad] = rotated.low * scale;
        qkv[source + quad + HALF_QUADS] = rotated.high * scale;
    } else if (head >= HEADS + KV_HEADS) {
        append_value(source, position * KV_HEADS + head - HEADS - KV_HEADS, quad);
    } else if (quad % KEY_QUADS == 0u) {
        append_key(source, position * KV_HEADS + head - HEADS, quad / KEY_QUADS, position);
    }
}
