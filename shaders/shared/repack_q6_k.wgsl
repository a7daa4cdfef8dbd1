// Q6_K blocks of 210 bytes: 128 bytes of nibbles; 64 bytes of upper two bits; 16 signed group scales; f16 scale. Two
// halves of 128 weights; in each, 64 bytes of nibbles and 32 bytes of upper bits hold four groups: groups 0 and 1 in the
// low nibbles, 2 and 3 in the high ones; group g in bits 2 g and 2 g + 1 of the upper bits.
#import blocks

const BLOCK_BYTES: u32 = 210u;
const SCALE_OFFSET: u32 = 208u;

fn repack_block(source: u32, block: u32) {
    for (var group = 0u; group < 8u; group++) {
        let in_half = group & 3u;
        let nibbles = source + (group >> 2u) * 64u + (in_half & 1u) * 32u;
        let shift = vec4<u32>((in_half >> 1u) * 4u);
        let low = (four_words_at(nibbles) >> shift) & vec4<u32>(0x0f0f0f0fu);
        let high = (four_words_at(nibbles + 16u) >> shift) & vec4<u32>(0x0f0f0f0fu);
        weights[block * 8u + group] = low | (high << vec4<u32>(4u));

        let upper = source + 128u + (group >> 2u) * 32u;
        for (var word = 0u; word < 2u; word++) {
            var bits = 0u;
            for (var i = 0u; i < 4u; i++) {
                bits |= ((word_at(upper + word * 16u + i * 4u) >> (in_half * 2u)) & 0x03030303u) << ((i * 2u) ^ 4u);
            }
            write_word(HIGH_BITS, (block * 8u + group) * 2u + word, bits);
        }
    }
    for (var pair = 0u; pair < 4u; pair++) {
        write_word(GROUP_SCALES, block * 4u + pair, word_at(source + 192u + pair * 4u));
    }
}
#import repack_paired_scales
