// Q4_1 blocks of 20 bytes: f16 scale, f16 offset; 16 bytes of nibbles, low ones weights 0 to 15, high ones 16 to 31.
#import blocks

const BLOCK_BYTES: u32 = 20u;

fn repack_block(source: u32, block: u32) {
    weights[block] = four_words_at(source + 4u);
    write_word(SCALES, block, word_at(source));
}
#import repack_single_blocks
