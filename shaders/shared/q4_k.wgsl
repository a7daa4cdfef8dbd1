// Q4_K: 144 bytes for 256 weights in 8 groups of 32. f16 scale of the scales; f16 scale of the minima; 12 bytes of
// 6-bit scales and minima; 128 bytes: 32 of them hold two groups, low nibbles the even one, high nibbles the odd one.
// weight = scale * group scale * q - minimum * group minimum.
#import bytes

const BLOCK_BYTES: u32 = 144u;

// The 6-bit scale and minimum of a group. Groups 0 to 3 have theirs in the low six bits of bytes 0 to 3 and 4 to 7;
// groups 4 to 7 have the low four bits in bytes 8 to 11, and the high two on top of those of groups 0 to 3.
fn scale_and_minimum(scales: u32, group: u32) -> vec2<f32> {
    if (group < 4u) {
        return vec2<f32>(vec2<u32>(byte_at(scales + group), byte_at(scales + group + 4u)) & vec2<u32>(63u));
    }
    let low = byte_at(scales + group + 4u);
    let high = vec2<u32>(byte_at(scales + group - 4u), byte_at(scales + group)) >> vec2<u32>(6u);
    return vec2<f32>(vec2<u32>(low & 15u, low >> 4u) | (high << vec2<u32>(4u)));
}

// Weights 4 * quad to 4 * quad + 3 of the matrix, counted row after row.
fn dequantize4(quad: u32) -> vec4<f32> {
    let block = (quad >> 6u) * BLOCK_BYTES;
    let group = (quad >> 3u) & 7u;
    let word = word_at(block + 16u + (group >> 1u) * 32u + (quad & 7u) * 4u);
    let nibbles = (word >> ((group & 1u) * 4u)) & 0x0f0f0f0fu;
    let halves = word_at(block);
    let scales = vec2<f32>(half_to_float(halves), half_to_float(halves >> 16u)) * scale_and_minimum(block + 4u, group);
    return scales.x * bytes_to_floats(nibbles) - scales.y;
}
