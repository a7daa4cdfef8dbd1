// The KV cache in signed bytes, each 32 numbers of a head with a scale: a byte q stands for q / 127 of it. The scale is the
// group's largest magnitude, rounded up to bf16: that has the range of f32, so there are no subnormal scales, which a device
// may take for zero. `head` counts [positions, KV_HEADS]; a quad is four numbers of it. The kernel binds `keys` as vectors of
// KEY_QUADS quads, and `values` by the quad.
// A word of scales holds those of group i and, in its upper half, of group i + HEAD_DIM / 64: the groups that turn with each
// other, which one thread writes.
const KEY_QUADS: u32 = 4u;
const GROUP_QUADS: u32 = 8u;
const HALF_GROUPS: u32 = HEAD_DIM / 64u;
const SMALLEST_SCALE: f32 = 1e-30;              // its reciprocal is a number as well

alias ValueQuad = u32;

// The scales of two groups that turn with each other, by their largest magnitudes.
fn round_up(largest: vec2<f32>) -> vec2<f32> {
    let bits = bitcast<vec2<u32>>(max(largest, vec2<f32>(SMALLEST_SCALE)));
    return bitcast<vec2<f32>>((bits + 0xffffu) & vec2<u32>(0xffff0000u));
}

fn pack_scales(scales: vec2<f32>) -> u32 {
    let bits = bitcast<vec2<u32>>(scales);
    return (bits.x >> 16u) | bits.y;
}

// The scale of a group, from its word.
fn unpack_scale(word: u32, group: u32) -> f32 {
    return bitcast<f32>(select(word << 16u, word & 0xffff0000u, group >= HALF_GROUPS));
}

fn largest_magnitude(numbers: vec4<f32>) -> f32 {
    let magnitudes = abs(numbers);
    return max(max(magnitudes.x, magnitudes.y), max(magnitudes.z, magnitudes.w));
}

// The quads of a vector of a key.
fn cached_key(head: u32, vector: u32) -> array<vec4<f32>, KEY_QUADS> {
    let words = keys[head * (HEAD_DIM / 16u) + vector];
    let group = vector / (GROUP_QUADS / KEY_QUADS);
    let scale = unpack_scale(key_scales[head * HALF_GROUPS + group % HALF_GROUPS], group);
    return array<vec4<f32>, KEY_QUADS>(
        unpack4x8snorm(words.x) * scale,
        unpack4x8snorm(words.y) * scale,
        unpack4x8snorm(words.z) * scale,
        unpack4x8snorm(words.w) * scale,
    );
}

// The scale of a quad of a value.
fn value_scale(head: u32, quad: u32) -> f32 {
    let group = quad / GROUP_QUADS;
    return unpack_scale(value_scales[head * HALF_GROUPS + group % HALF_GROUPS], group);
}

// A quad of a value.
fn cached_value_quad(head: u32, quad: u32) -> vec4<f32> {
    return unpack4x8snorm(values[head * (HEAD_DIM / 4u) + quad]) * value_scale(head, quad);
}
