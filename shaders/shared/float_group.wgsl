// A group of the formats whose weights are floats by themselves.
#import planes

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
