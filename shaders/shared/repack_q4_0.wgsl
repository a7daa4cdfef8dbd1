// Q4_0 blocks of 18 bytes: f16 scale; 16 bytes of nibbles, low ones weights 0 to 15, high ones 16 to 31.
#import blocks

const BLOCK_BYTES: u32 = 18u;
const SCALE_OFFSET: u32 = 0u;

fn repack_block(source: u32, block: u32) {
    weights[block] = four_words_at(source + 2u);
}
#import repack_paired_scales
