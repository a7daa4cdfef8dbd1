// Rotates queries and keys by their position, scales the queries for attention, and appends keys and values to the
// KV cache. Su et al., "RoFormer" (2021), in the half-split order of GPT-NeoX: dimension i turns with i + HEAD_DIM / 2.
// One thread takes dimensions 2d, 2d + 1 and their partners of one head of one token.
//
// Constants: HEADS, KV_HEADS, HEAD_DIM, CONTEXT (positions of the cache), QUERY_SCALE (1 / sqrt(HEAD_DIM)).
#import step

@group(0) @binding(0) var<uniform> step: Step;
@group(0) @binding(1) var<storage, read_write> qkv: array<vec2<f32>>;    // [tokens, (HEADS + 2 KV_HEADS) * HEAD_DIM / 2]
@group(0) @binding(2) var<storage, read> rotations: array<vec2<f32>>;    // [CONTEXT, HEAD_DIM / 2], (cos, sin)
@group(0) @binding(3) var<storage, read_write> keys: array<u32>;         // [KV_HEADS, CONTEXT, HEAD_DIM / 2], two f16 each
@group(0) @binding(4) var<storage, read_write> values: array<u32>;       // [KV_HEADS, CONTEXT, HEAD_DIM / 2], two f16 each

const ALL_HEADS: u32 = HEADS + 2u * KV_HEADS;
const QUARTER: u32 = HEAD_DIM / 4u;
const LARGEST_HALF: f32 = 65504.0;

fn pack(pair: vec2<f32>) -> u32 {
    return pack2x16float(clamp(pair, vec2<f32>(-LARGEST_HALF), vec2<f32>(LARGEST_HALF)));
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let token = id.y;
    let head = id.x / QUARTER;
    let d = id.x % QUARTER;
    if (head >= ALL_HEADS) {
        return;
    }
    let index = (token * ALL_HEADS + head) * (HEAD_DIM / 2u) + d;
    let low = qkv[index];
    let high = qkv[index + QUARTER];
    let position = step.position + token;

    if (head >= HEADS + KV_HEADS) {
        let cache = ((head - HEADS - KV_HEADS) * CONTEXT + position) * (HEAD_DIM / 2u) + d;
        values[cache] = pack(low);
        values[cache + QUARTER] = pack(high);
        return;
    }

    let first = rotations[position * (HEAD_DIM / 2u) + 2u * d];
    let second = rotations[position * (HEAD_DIM / 2u) + 2u * d + 1u];
    let cosine = vec2<f32>(first.x, second.x);
    let sine = vec2<f32>(first.y, second.y);
    let rotated_low = low * cosine - high * sine;
    let rotated_high = high * cosine + low * sine;
    if (head < HEADS) {
        qkv[index] = rotated_low * QUERY_SCALE;
        qkv[index + QUARTER] = rotated_high * QUERY_SCALE;
    } else {
        let cache = ((head - HEADS) * CONTEXT + position) * (HEAD_DIM / 2u) + d;
        keys[cache] = pack(rotated_low);
        keys[cache + QUARTER] = pack(rotated_high);
    }
}
