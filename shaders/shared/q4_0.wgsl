// Q4_0: weight = scale * (q - 8). Planes: 32 nibbles a group; an f16 scale a group.
#import planes

const SCALES: u32 = GROUPS;

struct Group {
    nibbles: vec4<u32>,
    scales: vec2<f32>, // of weights 0 to 15 and 16 to 31
    minimum: f32,
}

fn load_group(group: u32) -> Group {
    return Group(weights[group], vec2<f32>(plane_half(SCALES, group)), 0.0);
}

// Quants 4 * part to 4 * part + 3 of a group.
fn quants4(group: Group, part: u32) -> vec4<f32> {
    return bytes_to_floats(nibbles4(group.nibbles, part)) - 8.0;
}
