// The residual stream as the input of a product, under a root mean square norm (Zhang and Sennrich, "Root Mean Square Layer
// Normalization", 2019). What the norm divides by is the same for all of a row, so the product is divided by it at the end:
// its sum of squares is gathered on the way, and nobody has to wait for it.
//
// The kernel declares `residual` and `norm`. Constants: COLUMNS, EPSILON.
#import input_group

// A group of the residual, times the norm's weights; `row` is where its row starts, in quads.
fn load_input(row: u32, quad: u32) -> InputGroup {
    let r0 = residual[row + quad];
    let r1 = residual[row + quad + 1u];
    let r2 = residual[row + quad + 2u];
    let r3 = residual[row + quad + 3u];
    let r4 = residual[row + quad + 4u];
    let r5 = residual[row + quad + 5u];
    let r6 = residual[row + quad + 6u];
    let r7 = residual[row + quad + 7u];
    let squares = sum_of_quads(r0 * r0 + r1 * r1, r2 * r2 + r3 * r3, r4 * r4 + r5 * r5, r6 * r6 + r7 * r7);
    let x0 = r0 * norm[quad];
    let x1 = r1 * norm[quad + 1u];
    let x2 = r2 * norm[quad + 2u];
    let x3 = r3 * norm[quad + 3u];
    let x4 = r4 * norm[quad + 4u];
    let x5 = r5 * norm[quad + 5u];
    let x6 = r6 * norm[quad + 6u];
    let x7 = r7 * norm[quad + 7u];
    let sums = vec2<f32>(sum_of_quads(x0, x1, x2, x3), sum_of_quads(x4, x5, x6, x7));
    return InputGroup(x0, x1, x2, x3, x4, x5, x6, x7, sums, squares);
}

// What the product with the whole row is to be multiplied by.
fn norm_factor(squares: f32) -> f32 {
    return 1.0 / sqrt(squares / f32(COLUMNS) + EPSILON);
}
