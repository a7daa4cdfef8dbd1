// The input of a product as it is. The kernel declares `input`.
#import input_group

// The group that starts at a quad.
fn load_input(quad: u32) -> InputGroup {
    let x0 = input[quad];
    let x1 = input[quad + 1u];
    let x2 = input[quad + 2u];
    let x3 = input[quad + 3u];
    let x4 = input[quad + 4u];
    let x5 = input[quad + 5u];
    let x6 = input[quad + 6u];
    let x7 = input[quad + 7u];
    let sums = vec2<f32>(sum_of_quads(x0, x1, x2, x3), sum_of_quads(x4, x5, x6, x7));
    return InputGroup(x0, x1, x2, x3, x4, x5, x6, x7, sums, 0.0);
}
