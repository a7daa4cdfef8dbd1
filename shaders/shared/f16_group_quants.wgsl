// The quants of a group less their zero point, which f16 holds exactly: weight = scale * q - minimum.

// Sixteen quants from part `part` on.
fn group_quants16(group: Group, part: u32) -> Quants16 {
    return pack16(
        quants4(group, part) * PLACES - ZERO,
        quants4(group, part + 1u) * PLACES - ZERO,
        quants4(group, part + 2u) * PLACES - ZERO,
        quants4(group, part + 3u) * PLACES - ZERO,
    );
}
