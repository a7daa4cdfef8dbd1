// Q5_1 blocks of 24 bytes: f16 scale, f16 offset; 32 fifth bits; 16 bytes of nibbles, low ones weights 0 to 15, high ones
// 16 to 31.
#import blocks
#import repack_fifth_bits

const BLOCK_BYTES: u32 = 24u;

fn repack_block(source: u32, block: u32) {
    weights[block] = four_words_at(source + 8u);
    write_word(FIFTH_BITS, block, transpose_fifth_bits(word_at(source + 4u)));
    write_word(SCALES, block, word_at(source));
}
#import repack_single_blocks
