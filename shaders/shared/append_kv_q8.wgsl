// Appends to a KV cache in signed bytes. The kernel binds `keys` and `values` to write, and what heads are loaded from.
// A thread that stores a part of a group looks at all of it for the largest magnitude: its neighbours load the same numbers
// at the same time, which costs less than a barrier, and no thread waits for another one's result.
//
// Keys are levelled by the bias of their projection, which in a Qwen2 is up to hundreds beside numbers around 1 and would leave
// the other numbers of a group few steps. Pairs of dimensions that hardly turn are kept without it: what is taken from the keys
// of all positions alike adds the same to all scores of a query, and so nothing to their softmax. The others turn, and with them
// the bias: each pair is divided by how far it reaches, and the pair of the queries is multiplied by the same.
//
// Constants: FIRST_STEADY_PAIR, of dimensions that turn with each other.
#import kv_q8
#import loaded_heads
#import rotary

@group(0) @binding(10) var<storage, read_write> key_scales: array<u32>;    // [positions, KV_HEADS, HEAD_DIM / 64], two bf16 each
@group(0) @binding(11) var<storage, read_write> value_scales: array<u32>;  // [positions, KV_HEADS, HEAD_DIM / 64], two bf16 each
@group(0) @binding(12) var<uniform> key_bias: array<vec4<f32>, KV_HEADS * HEAD_DIM / 4u>;  // [KV_HEADS, HEAD_DIM / 4]

// The biases of a quad and its partners of a key.
fn bias_part(kv_head: u32, quad: u32) -> HeadPart {
    let first = kv_head * (HEAD_DIM / 4u) + quad;
    return HeadPart(key_bias[first], key_bias[first + HEAD_DIM / 8u]);
}

// Which dimensions of a quad hardly turn.
fn is_steady(quad: u32) -> vec4<bool> {
    return 4u * quad + vec4<u32>(0u, 1u, 2u, 3u) >= vec4<u32>(FIRST_STEADY_PAIR);
}

// What a quad and its partners of a query are multiplied by, and those of a key divided.
fn key_reach(kv_head: u32, quad: u32) -> vec4<f32> {
    let bias = bias_part(kv_head, quad);
    let reach = sqrt(1.0 + bias.low * bias.low + bias.high * bias.high);
    return select(reach, vec4<f32>(1.0), is_steady(quad));
}

// What is kept of a quad and its partners of a key.
fn kept_key(source: u32, head: u32, quad: u32, factor: f32, position: u32) -> HeadPart {
    let part = rotate(load_key(source, quad, factor), quad, position);
    let bias = bias_part(head % KV_HEADS, quad);
    let reach = key_reach(head % KV_HEADS, quad);
    let steady = is_steady(quad);
    let low = (part.low - select(vec4<f32>(), bias.low, steady)) / reach;
    let high = (part.high - select(vec4<f32>(), bias.high, steady)) / reach;
    return HeadPart(low, high);
}

// A vector of the key that starts at `source` of `qkv`, and the vector that it turns with.
fn append_key(source: u32, head: u32, vector: u32, position: u32) {
    let factor = key_factor(source);
    let group = vector / (GROUP_QUADS / KEY_QUADS);
    var largest = vec2<f32>();
    for (var quad = group * GROUP_QUADS; quad < (group + 1u) * GROUP_QUADS; quad++) {
        let part = kept_key(source, head, quad, factor, position);
        largest = max(largest, vec2<f32>(largest_magnitude(part.low), largest_magnitude(part.high)));
    }
    let scales = round_up(largest);
    var low = vec4<u32>();
    var high = vec4<u32>();
    for (var i = 0u; i < KEY_QUADS; i++) {
        let quad = vector * KEY_QUADS + i;
        let part = kept_key(source, head, quad, factor, position);
        low[i] = pack4x8snorm(part.low / scales.x);
        high[i] = pack4x8snorm(part.high / scales.y);
    }
    let cached = head * (HEAD_DIM / 16u) + vector;
    keys[cached] = low;
    keys[cached + HEAD_DIM / 32u] = high;
    if (vector % (GROUP_QUADS / KEY_QUADS) == 0u) {
        key_scales[head * HALF_GROUPS + group] = pack_scales(scales);
    }
}

// A quad of the value that starts at `source`, and the quad half a head further on.
fn append_value(source: u32, head: u32, quad: u32) {
    let group = quad / GROUP_QUADS;
    var largest = vec2<f32>();
    for (var other = group * GROUP_QUADS; other < (group + 1u) * GROUP_QUADS; other++) {
        let part = load_head_part(source, other);
        largest = max(largest, vec2<f32>(largest_magnitude(part.low), largest_magnitude(part.high)));
    }
    let scales = round_up(largest);
    let part = load_head_part(source, quad);
    let cached = head * (HEAD_DIM / 4u) + quad;
    values[cached] = pack4x8snorm(part.low / scales.x);
    values[cached + HEAD_DIM / 8u] = pack4x8snorm(part.high / scales.y);
    if (quad % GROUP_QUADS == 0u) {
        value_scales[head * HALF_GROUPS + group] = pack_scales(scales);
    }
}
