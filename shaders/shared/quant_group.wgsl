// What the formats whose weights are small whole numbers with a scale have in common.
#import planes
#import places

// Weights 4 * part to 4 * part + 3 of a group: scale * (quant - ZERO) - minimum.
fn dequantize_part(group: Group, part: u32) -> vec4<f32> {
    return (group.scales[part >> 2u] * PLACES) * (quants4(group, part) - ZERO / PLACES) - group.minimum;
}

// The four bytes of a word, each below 128, as floats in their places.
fn bytes_in_places(word: u32) -> vec4<f32> {
    return vec4<f32>(bitcast<vec4<i32>>(vec4<u32>(word) & vec4<u32>(0x7fu, 0x7f00u, 0x7f0000u, 0x7f000000u)));
}

// Four nibbles as bytes: weights 4 * part to 4 * part + 3 of a group. The low nibbles of its sixteen bytes are weights 0
// to 15, the high ones 16 to 31.
fn nibbles4(nibbles: vec4<u32>, part: u32) -> u32 {
    return (nibbles[part & 3u] >> ((part >> 2u) * 4u)) & 0x0f0f0f0fu;
}
