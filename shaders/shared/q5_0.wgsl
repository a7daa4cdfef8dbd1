// Q5_0: 22 bytes for 32 weights. f16 scale; 32 high bits; 16 bytes whose low nibbles are weights 0 to 15 and whose
// high nibbles are weights 16 to 31. weight = scale * (q - 16).
#import bytes

const BLOCK_BYTES: u32 = 22u;

// Weights 4 * quad to 4 * quad + 3 of the matrix, counted row after row.
fn dequantize4(quad: u32) -> vec4<f32> {
    let block = (quad >> 3u) * BLOCK_BYTES;
    let part = quad & 7u;
    let nibbles = (word_at(block + 6u + (part & 3u) * 4u) >> ((part >> 2u) * 4u)) & 0x0f0f0f0fu;
    let high_bits = (vec4<u32>(word_at(block + 2u) >> (part * 4u)) >> vec4<u32>(0u, 1u, 2u, 3u)) & vec4<u32>(1u);
    return half_at(block) * (bytes_to_floats(nibbles) + 16.0 * vec4<f32>(high_bits) - 16.0);
}
