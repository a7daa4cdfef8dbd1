// F32: plain floats.

// Weights 4 * quad to 4 * quad + 3 of the matrix, counted row after row.
fn dequantize4(quad: u32) -> vec4<f32> {
    let index = quad * 4u;
    return bitcast<vec4<f32>>(vec4<u32>(weights[index], weights[index + 1u], weights[index + 2u], weights[index + 3u]));
}
