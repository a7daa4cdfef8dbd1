// A group of the formats whose weights are floats by themselves: a format gives `floats4`.
#import planes
#import places

// The quant that stands for zero.
const ZERO: f32 = 0.0;

struct Group {
    index: u32,
    scales: vec2<f32>, // of weights 0 to 15 and 16 to 31
    minimum: f32,
}

fn load_group(group: u32) -> Group {
    return Group(group, vec2<f32>(1.0), 0.0);
}

// Weights 4 * part to 4 * part + 3 of a group.
fn dequantize_part(group: Group, part: u32) -> vec4<f32> {
    return floats4(group, part);
}

// The same as quants in their places.
fn quants4(group: Group, part: u32) -> vec4<f32> {
    return floats4(group, part) / PLACES;
}
