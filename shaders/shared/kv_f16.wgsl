// The KV cache in f16. `head` counts [positions, KV_HEADS]; a quad is four numbers of it. The kernel binds `keys` as
// vectors of KEY_QUADS quads, and `values` by the quad.
const KEY_QUADS: u32 = 2u;
const LARGEST_HALF: f32 = 65504.0;

alias ValueQuad = vec2<u32>;

// Numbers beyond the largest f16 become it.
fn pack(numbers: vec4<f32>) -> vec2<u32> {
    let clamped = clamp(numbers, vec4<f32>(-LARGEST_HALF), vec4<f32>(LARGEST_HALF));
    return vec2<u32>(pack2x16float(clamped.xy), pack2x16float(clamped.zw));
}

fn unpack(words: vec2<u32>) -> vec4<f32> {
    return vec4<f32>(unpack2x16float(words.x), unpack2x16float(words.y));
}

// The quads of a vector of a key.
fn cached_key(head: u32, vector: u32) -> array<vec4<f32>, KEY_QUADS> {
    let words = keys[head * (HEAD_DIM / 8u) + vector];
    return array<vec4<f32>, KEY_QUADS>(unpack(words.xy), unpack(words.zw));
}

// A quad of a value.
fn cached_value_quad(head: u32, quad: u32) -> vec4<f32> {
    return unpack(values[head * (HEAD_DIM / 4u) + quad]);
}
