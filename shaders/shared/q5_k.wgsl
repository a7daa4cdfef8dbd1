// Q5_K: weight = scale * group scale * q - minimum * group minimum, blocks of 8 groups. Planes: 32 nibbles a group; 32
// fifth bits a group; group scale and group minimum, a byte each, two groups to a word; f16 scale and f16 minimum in a
// word a block.
#import five_bit_group

// The quant that stands for zero.
const ZERO: f32 = 0.0;
const GROUP_SCALES: u32 = AFTER_FIFTH_BITS;
const SCALES: u32 = GROUP_SCALES + (GROUPS + 7u) / 8u;

fn load_group(group: u32) -> Group {
    let group_scales = plane_half_word(GROUP_SCALES, group);
    let halves = plane_word(SCALES, group >> 3u);
    let scales = vec2<f32>(half_to_float(halves) * f32(group_scales & 0xffu));
    let minimum = half_to_float(halves >> 16u) * f32((group_scales >> 8u) & 0xffu);
    return Group(weights[group], plane_word(FIFTH_BITS, group), scales, minimum);
}
