// The input of a product for a single token, in groups of 32 values. The kernel declares `input`.
#import places

// A group, and what a product needs to know of it besides. The eight quads are members and not an array, so that they stay in
// registers.
struct InputGroup {
    x0: vec4<f32>, x1: vec4<f32>, x2: vec4<f32>, x3: vec4<f32>, // times PLACES
    x4: vec4<f32>, x5: vec4<f32>, x6: vec4<f32>, x7: vec4<f32>,
    sums: vec2<f32>, // of values 0 to 15 and 16 to 31: what zero points and minima are multiplied by
}

fn load_input(group: u32) -> InputGroup {
    let quad = group * 8u;
    let x0 = input[quad];
    let x1 = input[quad + 1u];
    let x2 = input[quad + 2u];
    let x3 = input[quad + 3u];
    let x4 = input[quad + 4u];
    let x5 = input[quad + 5u];
    let x6 = input[quad + 6u];
    let x7 = input[quad + 7u];
    return InputGroup(
        x0 * PLACES, x1 * PLACES, x2 * PLACES, x3 * PLACES,
        x4 * PLACES, x5 * PLACES, x6 * PLACES, x7 * PLACES,
        vec2<f32>(sum_of_quads(x0, x1, x2, x3), sum_of_quads(x4, x5, x6, x7)),
    );
}

fn sum_of_quads(a: vec4<f32>, b: vec4<f32>, c: vec4<f32>, d: vec4<f32>) -> f32 {
    return dot((a + b) + (c + d), vec4<f32>(1.0));
}
