// BF16: the upper halves of floats, as in the file, two to a word.
#import float_group

// Weights 4 * part to 4 * part + 3 of a group.
fn floats4(group: Group, part: u32) -> vec4<f32> {
    let low = plane_word(0u, group.index * 16u + part * 2u);
    let high = plane_word(0u, group.index * 16u + part * 2u + 1u);
    return bitcast<vec4<f32>>(vec4<u32>(low << 16u, low & 0xffff0000u, high << 16u, high & 0xffff0000u));
}
