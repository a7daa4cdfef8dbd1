// Q4_0: weight = scale * (q - 8). Planes: 32 nibbles a group; an f16 scale a group.
#import four_bit_group

// The quant that stands for zero.
const ZERO: f32 = 8.0;
const SCALES: u32 = AFTER_NIBBLES;

fn load_group(group: u32) -> Group {
    return Group(weights[group], vec2<f32>(plane_half(SCALES, group)), 0.0);
}
