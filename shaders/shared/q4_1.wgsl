// Q4_1: weight = scale * q + offset. Planes: 32 nibbles a group; f16 scale and f16 offset in a word a group.
#import four_bit_group

// The quant that stands for zero.
const ZERO: f32 = 0.0;
const SCALES: u32 = AFTER_NIBBLES;

fn load_group(group: u32) -> Group {
    let halves = plane_word(SCALES, group);
    return Group(weights[group], vec2<f32>(half_to_float(halves)), -half_to_float(halves >> 16u));
}
