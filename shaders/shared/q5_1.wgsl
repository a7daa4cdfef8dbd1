// Q5_1: weight = scale * q + offset. Planes: 32 nibbles a group; 32 fifth bits a group; f16 scale and f16 offset in a word
// a group.
#import five_bit_group

// The quant that stands for zero.
const ZERO: f32 = 0.0;
const SCALES: u32 = AFTER_FIFTH_BITS;

fn load_group(group: u32) -> Group {
    let halves = plane_word(SCALES, group);
    let scales = vec2<f32>(half_to_float(halves));
    return Group(weights[group], plane_word(FIFTH_BITS, group), scales, -half_to_float(halves >> 16u));
}
