// A thread's part of the products of ROWS_PER_THREAD rows of a matrix with the input of a single token: their sums are shared
// as the first ones. The kernel imports `lanes`.
#import product

fn share_products(first_row: u32, thread: u32) {
    var sums = array<f32, ROWS_PER_THREAD>();
    for (var group = thread % LANES; group < COLUMNS / 32u; group += LANES) {
        let x = load_input(group);
        for (var i = 0u; i < ROWS_PER_THREAD; i++) {
            // Past the last row, the last one is computed again: its result is not used.
            sums[i] += dot_group(min(first_row + i, ROWS - 1u) * (COLUMNS / 32u) + group, x);
        }
    }
    for (var i = 0u; i < ROWS_PER_THREAD; i++) {
        share_sum(thread, i, sums[i]);
    }
}
