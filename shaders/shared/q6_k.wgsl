// Q6_K: 210 bytes for 256 weights in two halves of 128, each four groups of 32. 128 bytes of low nibbles, 64 bytes of
// high two bits, 16 signed scales (one for 16 weights), f16 scale. weight = scale * group scale * (q - 32).
#import bytes

const BLOCK_BYTES: u32 = 210u;

// Weights 4 * quad to 4 * quad + 3 of the matrix, counted row after row.
fn dequantize4(quad: u32) -> vec4<f32> {
    let block = (quad >> 6u) * BLOCK_BYTES;
    let upper = (quad >> 5u) & 1u;
    let group = (quad >> 3u) & 3u;
    let within = (quad & 7u) * 4u; // byte within the group of 32
    let low = word_at(block + upper * 64u + (group & 1u) * 32u + within) >> ((group >> 1u) * 4u);
    let high = word_at(block + 128u + upper * 32u + within) >> (group * 2u);
    let q = (low & 0x0f0f0f0fu) | ((high & 0x03030303u) << 4u);
    let group_scale = f32(signed_byte_at(block + 192u + upper * 8u + group * 2u + (within >> 4u)));
    return half_at(block + 208u) * group_scale * (bytes_to_floats(q) - 32.0);
}
