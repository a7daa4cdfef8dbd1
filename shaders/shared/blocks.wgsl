// How repacking reads GGUF blocks, which are packed without alignment: little-endian words at any byte offset of `blocks`.

fn word_at(byte_offset: u32) -> u32 {
    let index = byte_offset >> 2u;
    let shift = (byte_offset & 3u) * 8u;
    let low = blocks[index] >> shift;
    // Two shifts, because a shift by 32 is not defined.
    return select(low | ((blocks[index + 1u] << 1u) << (31u - shift)), low, shift == 0u);
}

fn four_words_at(byte_offset: u32) -> vec4<u32> {
    return vec4<u32>(
        word_at(byte_offset), word_at(byte_offset + 4u), word_at(byte_offset + 8u), word_at(byte_offset + 12u));
}

fn half_word_at(byte_offset: u32) -> u32 {
    return word_at(byte_offset) & 0xffffu;
}

fn byte_at(byte_offset: u32) -> u32 {
    return word_at(byte_offset) & 0xffu;
}

// Writes a word of the plane that starts at vec4 `start`.
fn write_word(start: u32, index: u32, word: u32) {
    weights[start + (index >> 2u)][index & 3u] = word;
}
