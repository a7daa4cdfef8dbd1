// For formats in which no two blocks share a word of a plane.
fn repack_pair(source: u32, block: u32, is_pair: bool) {
    repack_block(source, block);
    if (is_pair) {
        repack_block(source + BLOCK_BYTES, block + 1u);
    }
}
