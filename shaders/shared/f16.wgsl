// F16: plain halves, as in the file, two to a word.
#import planes

struct Group {
    index: u32,
    scales: vec2<f32>, // of weights 0 to 15 and 16 to 31
    minimum: f32,
}

fn load_group(group: u32) -> Group {
    return Group(group, vec2<f32>(1.0), 0.0);
}

// Quants 4 * part to 4 * part + 3 of a group.
fn quants4(group: Group, part: u32) -> vec4<f32> {
    let low = plane_word(0u, group.index * 16u + part * 2u);
    let high = plane_word(0u, group.index * 16u + part * 2u + 1u);
    return vec4<f32>(half_to_float(low), half_to_float(low >> 16u), half_to_float(high), half_to_float(high >> 16u));
}
