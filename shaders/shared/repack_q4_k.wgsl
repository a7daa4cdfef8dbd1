// Q4_K blocks of 144 bytes: f16 scale, f16 minimum; 12 bytes of group scales and minima; 128 bytes of nibbles.
#import repack_k_4_5

const BLOCK_BYTES: u32 = 144u;

fn repack_block(source: u32, block: u32) {
    for (var group = 0u; group < 8u; group++) {
        weights[block * 8u + group] = group_nibbles(source + 16u, group);
    }
    write_group_scales(block, source + 4u);
    write_word(SCALES, block, word_at(source));
}
#import repack_single_blocks
