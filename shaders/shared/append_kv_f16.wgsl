// Appends to a KV cache in f16. The kernel binds `keys` and `values` to write, and what heads are loaded from.
#import kv_f16
#import loaded_heads
#import rotary

// What a quad and its partners of a query are multiplied by, because their keys are kept divided by it.
fn key_reach(kv_head: u32, quad: u32) -> vec4<f32> {
    return vec4<f32>(1.0);
}

// A vector of the key that starts at `source` of `qkv`, and the vector that it turns with.
fn append_key(source: u32, head: u32, vector: u32, position: u32) {
    let factor = key_factor(source);
    let quad = KEY_QUADS * vector;
    let first = rotate(load_key(source, quad, factor), quad, position);
    let second = rotate(load_key(source, quad + 1u, factor), quad + 1u, position);
    let cached = head * (HEAD_DIM / 8u) + vector;
    keys[cached] = vec4<u32>(pack(first.low), pack(second.low));
    keys[cached + HEAD_DIM / 16u] = vec4<u32>(pack(first.high), pack(second.high));
}

// A quad of the value that starts at `source`, and the quad half a head further on.
fn append_value(source: u32, head: u32, quad: u32) {
    let part = load_head_part(source, quad);
    let cached = head * (HEAD_DIM / 4u) + quad;
    values[cached] = pack(part.low);
    values[cached + HEAD_DIM / 8u] = pack(part.high);
}
