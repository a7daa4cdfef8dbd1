// Q5_0 blocks of 22 bytes: f16 scale; 32 fifth bits; 16 bytes of nibbles, low ones weights 0 to 15, high ones 16 to 31.
#import blocks
#import repack_fifth_bits

const BLOCK_BYTES: u32 = 22u;
const SCALE_OFFSET: u32 = 0u;

fn repack_block(source: u32, block: u32) {
    weights[block] = four_words_at(source + 6u);
    write_word(FIFTH_BITS, block, transpose_fifth_bits(word_at(source + 2u)));
}
#import repack_paired_scales
