// Q8_0: weight = scale * q, q a signed byte. Planes: 32 quants a group; an f16 scale a group.
#import planes

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

// The same as floats.
fn quants4(group: Group, part: u32) -> vec4<f32> {
    let word = packed_quants4(group, part);
    return vec4<f32>(bitcast<vec4<i32>>(vec4<u32>(word) << vec4<u32>(24u, 16u, 8u, 0u)) >> vec4<u32>(24u));
}
