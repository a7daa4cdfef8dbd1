// Q5_1: weight = scale * q + offset. Planes: 32 nibbles a group; 32 fifth bits a group; f16 scale and f16 offset in a word
// a group.
#import five_bit_group

const SCALES: u32 = AFTER_FIFTH_BITS;

fn load_group(group: u32) -> Group {
    let halves = plane_word(SCALES, group);
    let scales = vec2<f32>(half_to_float(halves));
    return Group(weights[group], plane_word(FIFTH_BITS, group), scales, -half_to_float(halves >> 16u));
}

// Quants 4 * part to 4 * part + 3 of a group.
fn quants4(group: Group, part: u32) -> vec4<f32> {
    return unsigned_quants4(group, part);
}
