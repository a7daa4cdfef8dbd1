// GGUF blocks are packed without alignment. These read little-endian words at any byte offset of `weights`.

fn word_at(byte_offset: u32) -> u32 {
    let index = byte_offset >> 2u;
    let shift = (byte_offset & 3u) * 8u;
    let low = weights[index] >> shift;
    // Two shifts, because a shift by 32 is not defined.
    return select(low | ((weights[index + 1u] << 1u) << (31u - shift)), low, shift == 0u);
}

// The f16 in the low half of a word. By integers, because WGSL lets `unpack2x16float` turn subnormal numbers into
// zero, and the scales of K-quants often are subnormal.
fn half_to_float(word: u32) -> f32 {
    let exponent = (word >> 10u) & 31u;
    let mantissa = word & 0x3ffu;
    let subnormal = f32(mantissa) * 5.9604644775390625e-8; // 2⁻²⁴
    let float_exponent = select(exponent + 112u, 255u, exponent == 31u);
    let magnitude = select(bitcast<f32>((float_exponent << 23u) | (mantissa << 13u)), subnormal, exponent == 0u);
    return select(magnitude, -magnitude, (word & 0x8000u) != 0u);
}

fn half_at(byte_offset: u32) -> f32 {
    return half_to_float(word_at(byte_offset));
}

fn byte_at(byte_offset: u32) -> u32 {
    return (weights[byte_offset >> 2u] >> ((byte_offset & 3u) * 8u)) & 0xffu;
}

fn signed_byte_at(byte_offset: u32) -> i32 {
    return bitcast<i32>(byte_at(byte_offset) << 24u) >> 24u;
}

// The four bytes of a word as floats, lowest first.
fn bytes_to_floats(word: u32) -> vec4<f32> {
    return vec4<f32>((vec4<u32>(word) >> vec4<u32>(0u, 8u, 16u, 24u)) & vec4<u32>(0xffu));
}
