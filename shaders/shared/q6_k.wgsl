// Q6_K: weight = scale * group scale * (q - 32), blocks of 8 groups, a group scale for 16 weights. Planes: 32 nibbles a
// group; the upper two bits of 32 quants in two words a group; two signed group scales, a byte each, two groups to a
// word; an f16 scale a block.
#import quant_group

// The quant that stands for zero.
const ZERO: f32 = 32.0;
const HIGH_BITS: u32 = GROUPS;
const GROUP_SCALES: u32 = HIGH_BITS + (GROUPS + 1u) / 2u;
const SCALES: u32 = GROUP_SCALES + (GROUPS + 7u) / 8u;

struct Group {
    nibbles: vec4<u32>,
    high: vec2<u32>, // word part / 4, byte j for quant 4 * part + j: bits 4, 6, 0 or 2 and the next one
    scales: vec2<f32>, // of weights 0 to 15 and 16 to 31
    minimum: f32,
}

fn load_group(group: u32) -> Group {
    let group_scales = plane_half_word(GROUP_SCALES, group);
    let signed_bytes = bitcast<vec2<i32>>(vec2<u32>(group_scales) << vec2<u32>(24u, 16u)) >> vec2<u32>(24u);
    let scales = plane_half(SCALES, group >> 3u) * vec2<f32>(signed_bytes);
    let high = vec2<u32>(plane_word(HIGH_BITS, group * 2u), plane_word(HIGH_BITS, group * 2u + 1u));
    return Group(weights[group], high, scales, 0.0);
}

// Quants 4 * part to 4 * part + 3 of a group as bytes, 0 to 63.
fn packed_quants4(group: Group, part: u32) -> u32 {
    let word = group.high[part >> 2u];
    let high = (select(word, word << 4u, (part & 2u) != 0u) >> ((part & 1u) * 2u)) & 0x30303030u;
    return nibbles4(group.nibbles, part) | high;
}

// The same as floats in their places.
fn quants4(group: Group, part: u32) -> vec4<f32> {
    return bytes_in_places(packed_quants4(group, part));
}
