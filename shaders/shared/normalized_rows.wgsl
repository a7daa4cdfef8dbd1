// A thread's part of the products of ROWS_PER_THREAD rows of a matrix with the normalised residual: their sums are shared as
// the first ones, and the sum of squares that `norm_factor` wants as the one after them. The kernel imports `lanes` and
// `normalized_input`.
#import product

// `residual_row` is where the residual's row starts, in quads.
fn share_products(residual_row: u32, first_row: u32, thread: u32) {
    var sums = array<f32, ROWS_PER_THREAD>();
    var squares = 0.0;
    for (var group = thread % LANES; group < COLUMNS / 32u; group += LANES) {
        let x = load_input(residual_row, group * 8u);
        squares += x.squares;
        for (var i = 0u; i < ROWS_PER_THREAD; i++) {
            // Past the last row, the last one is computed again: its result is not used.
            sums[i] += dot_group(min(first_row + i, ROWS - 1u) * (COLUMNS / 32u) + group, x);
        }
    }
    for (var i = 0u; i < ROWS_PER_THREAD; i++) {
        share_sum(thread, i, sums[i]);
    }
    share_sum(thread, ROWS_PER_THREAD, squares);
}
