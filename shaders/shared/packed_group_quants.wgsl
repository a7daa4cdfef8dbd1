// The quants of a group less their zero point, as signed bytes: weight = scale * q - minimum.
const ZERO_BYTES: u32 = u32(ZERO) * 0x01010101u;

// Quants 4 * part to 4 * part + 3 of a group.
fn group_quants4(group: Group, part: u32) -> u32 {
    let quants = packed_quants4(group, part);
    if (ZERO == 0.0) {
        return quants;
    }
    // Quants with a zero point leave the upper bit of each byte free: it is lent, so that no byte borrows from the next.
    return ((quants | 0x80808080u) - ZERO_BYTES) ^ 0x80808080u;
}

// Sixteen quants from part `part` on.
fn group_quants16(group: Group, part: u32) -> Quants16 {
    return Quants16(
        group_quants4(group, part),
        group_quants4(group, part + 1u),
        group_quants4(group, part + 2u),
        group_quants4(group, part + 3u),
    );
}
