// The fifth bits of a group's 32 quants in one word, bit 8 j + part for quant 4 * part + j: so that those of four
// neighbours shift straight into their bytes.
fn fifth_bits4(high: u32, part: u32) -> u32 {
    return ((high >> part) & 0x01010101u) << 4u;
}
