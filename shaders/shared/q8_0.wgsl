// Q8_0: weight = scale * q, q a signed byte. Planes: 32 quants a group; an f16 scale a group.
#import quant_group

// The quant that stands for zero.
const ZERO: f32 = 0.0;
const SCALES: u32 = GROUPS * 2u;

struct Group {
    quants: array<vec4<u32>, 2>,
    scales: vec2<f32>, // of weights 0 to 15 and 16 to 31
    minimum: f32,
}

fn load_group(group: u32) -> Group {
    let quants = array<vec4<u32>, 2>(weights[group * 2u], weights[group * 2u + 1u]);
    return Group(quants, vec2<f32>(plane_half(SCALES, group)), 0.0);
}

// Quants 4 * part to 4 * part + 3 of a group as signed bytes.
fn packed_quants4(group: Group, part: u32) -> u32 {
    return select(group.quants[0], group.quants[1], part >= 4u)[part & 3u];
}

// The same as floats in their places. The sign of the highest byte is that of the word; the others are read as if they had
// 128 more, which is taken off again.
fn quants4(group: Group, part: u32) -> vec4<f32> {
    let word = vec4<u32>(packed_quants4(group, part) ^ 0x00808080u);
    let in_places = bitcast<vec4<i32>>(word & vec4<u32>(0xffu, 0xff00u, 0xff0000u, 0xff000000u));
    return vec4<f32>(in_places) - vec4<f32>(0x80, 0x8000, 0x800000, 0);
}
