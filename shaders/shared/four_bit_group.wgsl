// A group of the formats of four bits: its first plane is 32 nibbles a group.
#import quant_group

// Where the planes after the nibbles start.
const AFTER_NIBBLES: u32 = GROUPS;

struct Group {
    nibbles: vec4<u32>,
    scales: vec2<f32>, // of weights 0 to 15 and 16 to 31
    minimum: f32,
}

// Quants 4 * part to 4 * part + 3 of a group as bytes, 0 to 15.
fn packed_quants4(group: Group, part: u32) -> u32 {
    return nibbles4(group.nibbles, part);
}

// The same as floats in their places.
fn quants4(group: Group, part: u32) -> vec4<f32> {
    return bytes_in_places(packed_quants4(group, part));
}
