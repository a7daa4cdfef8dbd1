// The quants of a group less their zero point, as signed bytes for products of bytes: weight = scale * q - minimum.
const ZERO_BYTES: u32 = u32(ZERO) * 0x01010101u;

// Quants 4 * part to 4 * part + 3 of a group.
fn signed_quants4(group: Group, part: u32) -> u32 {
    let quants = packed_quants4(group, part);
    if (ZERO == 0.0) {
        return quants;
    }
    // Quants with a zero point leave the upper bit of each byte free: it is lent, so that no byte borrows from the next.
    return ((quants | 0x80808080u) - ZERO_BYTES) ^ 0x80808080u;
}

// Sixteen quants from part `part` on.
fn signed_quants16(group: Group, part: u32) -> vec4<u32> {
    return vec4<u32>(
        signed_quants4(group, part),
        signed_quants4(group, part + 1u),
        signed_quants4(group, part + 2u),
        signed_quants4(group, part + 3u),
    );
}

// The sum of the products of sixteen bytes with sixteen others.
fn dot16(a: vec4<u32>, b: vec4<u32>) -> i32 {
    return dot4I8Packed(a.x, b.x) + dot4I8Packed(a.y, b.y) + dot4I8Packed(a.z, b.z) + dot4I8Packed(a.w, b.w);
}
