// A group of the formats of five bits. Its first planes: 32 nibbles a group; 32 fifth bits in a word a group, that of
// quant 4 * part + j in byte j: bit 4 + part for the first four parts, part - 4 for the others. So those of four neighbours
// are above their nibbles after a single shift.
#import quant_group

const FIFTH_BITS: u32 = GROUPS;
// Where the planes after these start.
const AFTER_FIFTH_BITS: u32 = FIFTH_BITS + (GROUPS + 3u) / 4u;

struct Group {
    nibbles: vec4<u32>,
    high: u32,
    scales: vec2<f32>, // of weights 0 to 15 and 16 to 31
    minimum: f32,
}

// Quants 4 * part to 4 * part + 3 of a group as bytes, 0 to 31.
fn packed_quants4(group: Group, part: u32) -> u32 {
    let high = (select(group.high, group.high << 4u, part >= 4u) >> (part & 3u)) & 0x10101010u;
    return nibbles4(group.nibbles, part) | high;
}

// The same as floats in their places.
fn quants4(group: Group, part: u32) -> vec4<f32> {
    return bytes_in_places(packed_quants4(group, part));
}
