// F32: plain floats, as in the file.
#import float_group

// Weights 4 * part to 4 * part + 3 of a group.
fn floats4(group: Group, part: u32) -> vec4<f32> {
    return bitcast<vec4<f32>>(weights[group.index * 8u + part]);
}
