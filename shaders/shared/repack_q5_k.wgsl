// Q5_K blocks of 176 bytes: f16 scale, f16 minimum; 12 bytes of group scales and minima; 32 bytes of fifth bits, bit g of
// byte n for weight n of group g; 128 bytes of nibbles.
#import repack_k_4_5

const BLOCK_BYTES: u32 = 176u;

fn repack_block(source: u32, block: u32) {
    for (var group = 0u; group < 8u; group++) {
        weights[block * 8u + group] = group_nibbles(source + 48u, group);
        var bits = 0u;
        for (var part = 0u; part < 8u; part++) {
            bits |= ((word_at(source + 16u + part * 4u) >> group) & 0x01010101u) << (part ^ 4u);
        }
        write_word(FIFTH_BITS, block * 8u + group, bits);
    }
    write_group_scales(block, source + 4u);
    write_word(SCALES, block, word_at(source));
}
#import repack_single_blocks
