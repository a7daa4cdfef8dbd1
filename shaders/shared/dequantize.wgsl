// The weights of a group as floats: weight = scale * (quant - ZERO) - minimum.
#import format

// Weights 4 * quad to 4 * quad + 3 of the matrix, counted row after row.
fn dequantize4(quad: u32) -> vec4<f32> {
    let group = load_group(quad >> 3u);
    return dequantize_part(group, quad & 7u);
}

// Weights 4 * part to 4 * part + 3 of a group.
fn dequantize_part(group: Group, part: u32) -> vec4<f32> {
    return group.scales[part >> 2u] * (quants4(group, part) - ZERO) - group.minimum;
}
