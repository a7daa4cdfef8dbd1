// GGUF blocks are packed without alignment. These read little-endian words at any byte offset of `weights`.

fn word_at(byte_offset: u32) -> u32 {
    let index = byte_offset >> 2u;
    let shift = (byte_offset & 3u) * 8u;
    let low = weights[index] >> shift;
    // Two shifts, because a shift by 32 is not defined.
    return select(low | ((weights[index + 1u] << 1u) << (31u - shift)), low, shift == 0u);
}

fn half_at(byte_offset: u32) -> f32 {
    return unpack2x16float(word_at(byte_offset)).x;
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
