// Q8_0 blocks of 34 bytes: f16 scale; 32 signed bytes.
#import blocks

const BLOCK_BYTES: u32 = 34u;

fn repack_block(source: u32, block: u32) {
    weights[block * 2u] = four_words_at(source + 2u);
    weights[block * 2u + 1u] = four_words_at(source + 18u);
}

fn repack_pair(source: u32, block: u32, is_pair: bool) {
    repack_block(source, block);
    if (is_pair) {
        repack_block(source + BLOCK_BYTES, block + 1u);
    }
    write_half_words(SCALES, block, source, BLOCK_BYTES, is_pair);
}
