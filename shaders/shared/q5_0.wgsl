// Q5_0: weight = scale * (q - 16). Planes: 32 nibbles a group; 32 fifth bits a group; an f16 scale a group.
#import five_bit_group

// The quant that stands for zero.
const ZERO: f32 = 16.0;
const SCALES: u32 = AFTER_FIFTH_BITS;

fn load_group(group: u32) -> Group {
    return Group(weights[group], plane_word(FIFTH_BITS, group), vec2<f32>(plane_half(SCALES, group)), 0.0);
}
