// Q8_0: 34 bytes for 32 weights. f16 scale; 32 signed bytes. weight = scale * q.
#import bytes

const BLOCK_BYTES: u32 = 34u;

// Weights 4 * quad to 4 * quad + 3 of the matrix, counted row after row.
fn dequantize4(quad: u32) -> vec4<f32> {
    let block = (quad >> 3u) * BLOCK_BYTES;
    let word = word_at(block + 2u + (quad & 7u) * 4u);
    let signed_bytes = bitcast<vec4<i32>>(vec4<u32>(word) << vec4<u32>(24u, 16u, 8u, 0u)) >> vec4<u32>(24u);
    return half_at(block) * vec4<f32>(signed_bytes);
}
