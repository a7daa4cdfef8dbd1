// From bit n for quant n to the order of `five_bit_group.wgsl`.
fn transpose_fifth_bits(bits: u32) -> u32 {
    var transposed = 0u;
    for (var part = 0u; part < 8u; part++) {
        let four = bits >> (part * 4u);
        let spread = (four & 1u) | ((four & 2u) << 7u) | ((four & 4u) << 14u) | ((four & 8u) << 21u);
        transposed |= spread << (part ^ 4u);
    }
    return transposed;
}
