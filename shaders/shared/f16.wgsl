// F16: plain halves, as in the file, two to a word.
#import float_group

// Weights 4 * part to 4 * part + 3 of a group.
fn floats4(group: Group, part: u32) -> vec4<f32> {
    let low = plane_word(0u, group.index * 16u + part * 2u);
    let high = plane_word(0u, group.index * 16u + part * 2u + 1u);
    return vec4<f32>(half_to_float(low), half_to_float(low >> 16u), half_to_float(high), half_to_float(high >> 16u));
}
