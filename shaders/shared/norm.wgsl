// A root mean square norm before a product (Zhang and Sennrich, "Root Mean Square Layer Normalization", 2019). The kernel
// before has multiplied the residual by the norm's weights, which is the product's input, and added up its squares. What the
// norm divides by is the same for all of a row, so that the product is divided by it at the end, and nobody waits for it.
//
// The kernel declares `squares` and imports `lanes`. Constants: COLUMNS, EPSILON.

// Shares a thread's part of the sum of squares, as one of its VALUES.
fn share_squares(thread: u32, value: u32) {
    var sum = 0.0;
    for (var group = thread % LANES; group < COLUMNS / 32u; group += LANES) {
        sum += dot(squares[group], vec4<f32>(1.0));
    }
    share_sum(thread, value, sum);
}

// What the product with the whole row is to be multiplied by.
fn norm_factor(sum_of_squares: f32) -> f32 {
    return 1.0 / sqrt(sum_of_squares / f32(COLUMNS) + EPSILON);
}
