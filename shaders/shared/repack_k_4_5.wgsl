// What Q4_K and Q5_K blocks have in common.
#import blocks

// The nibbles of a group: 32 bytes hold two groups, low nibbles the even one, high nibbles the odd one, in the order of
// the weights. `nibbles` is where the block's begin.
fn group_nibbles(nibbles: u32, group: u32) -> vec4<u32> {
    let source = nibbles + (group >> 1u) * 32u;
    let shift = vec4<u32>((group & 1u) * 4u);
    let low = (four_words_at(source) >> shift) & vec4<u32>(0x0f0f0f0fu);
    let high = (four_words_at(source + 16u) >> shift) & vec4<u32>(0x0f0f0f0fu);
    return low | (high << vec4<u32>(4u));
}

// The 6-bit scale and minimum of a group, a byte each. Groups 0 to 3 have theirs in the low six bits of bytes 0 to 3 and
// 4 to 7; groups 4 to 7 have the low four bits in bytes 8 to 11, and the high two on top of those of groups 0 to 3.
fn scale_and_minimum(scales: u32, group: u32) -> u32 {
    if (group < 4u) {
        return (byte_at(scales + group) & 63u) | ((byte_at(scales + group + 4u) & 63u) << 8u);
    }
    let low = byte_at(scales + group + 4u);
    let scale = (low & 15u) | ((byte_at(scales + group - 4u) >> 6u) << 4u);
    let minimum = (low >> 4u) | ((byte_at(scales + group) >> 6u) << 4u);
    return scale | (minimum << 8u);
}

// Writes the group scales of a block, whose twelve bytes are at `scales`.
fn write_group_scales(block: u32, scales: u32) {
    for (var pair = 0u; pair < 4u; pair++) {
        let word = scale_and_minimum(scales, pair * 2u) | (scale_and_minimum(scales, pair * 2u + 1u) << 16u);
        write_word(GROUP_SCALES, block * 4u + pair, word);
    }
}
