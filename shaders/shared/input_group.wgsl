// What a product needs to know of 32 consecutive values of its input, a group. The eight quads are members and not an array,
// so that they stay in registers.
struct InputGroup {
    x0: vec4<f32>, x1: vec4<f32>, x2: vec4<f32>, x3: vec4<f32>,
    x4: vec4<f32>, x5: vec4<f32>, x6: vec4<f32>, x7: vec4<f32>,
    sums: vec2<f32>, // of values 0 to 15 and 16 to 31: what zero points and minima are multiplied by
    squares: f32,    // sum of the squares, before a norm's weight
}

fn sum_of_quads(a: vec4<f32>, b: vec4<f32>, c: vec4<f32>, d: vec4<f32>) -> f32 {
    return dot((a + b) + (c + d), vec4<f32>(1.0));
}
