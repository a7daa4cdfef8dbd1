// Q4_0 blocks of 18 bytes: f16 scale; 16 bytes of nibbles, low ones weights 0 to 15, high ones 16 to 31.
#import blocks

const BLOCK_BYTES: u32 = 18u;

fn repack_pair(source: u32, block: u32, is_pair: bool) {
    weights[block] = four_words_at(source + 2u);
    if (is_pair) {
        weights[block + 1u] = four_words_at(source + BLOCK_BYTES + 2u);
    }
    write_half_words(SCALES, block, source, BLOCK_BYTES, is_pair);
}
