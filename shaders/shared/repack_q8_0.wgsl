// Q8_0 blocks of 34 bytes: f16 scale; 32 signed bytes.
#import blocks

const BLOCK_BYTES: u32 = 34u;
const SCALE_OFFSET: u32 = 0u;

fn repack_block(source: u32, block: u32) {
    weights[block * 2u] = four_words_at(source + 2u);
    weights[block * 2u + 1u] = four_words_at(source + 18u);
}
#import repack_paired_scales
