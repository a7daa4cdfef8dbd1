// The weights of a matrix as floats.
#import format

// Weights 4 * quad to 4 * quad + 3 of the matrix, counted row after row.
fn dequantize4(quad: u32) -> vec4<f32> {
    return dequantize_part(load_group(quad >> 3u), quad & 7u);
}
