// For formats with a plane of an f16 scale a block, in which two blocks share a word. SCALE_OFFSET is where a block has it.
fn repack_pair(source: u32, block: u32, is_pair: bool) {
    repack_block(source, block);
    if (is_pair) {
        repack_block(source + BLOCK_BYTES, block + 1u);
    }
    let first = half_word_at(source + SCALE_OFFSET);
    let second = select(0u, half_word_at(source + BLOCK_BYTES + SCALE_OFFSET), is_pair);
    write_word(SCALES, block >> 1u, first | (second << 16u));
}
