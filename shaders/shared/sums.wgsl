// Sums over the LANES threads of a set, through workgroup memory.
//
// Constants: THREADS, LANES; VALUES is the kernel's.
var<workgroup> partial_sums: array<f32, VALUES * THREADS>;

// Makes one of a thread's VALUES sums known. A barrier has to follow.
fn share_sum(thread: u32, value: u32, sum: f32) {
    partial_sums[value * THREADS + thread] = sum;
}

// One of the sums over all lanes of a set.
fn sum_of_lanes(row_set: u32, value: u32) -> f32 {
    var sum = 0.0;
    for (var lane = 0u; lane < LANES; lane++) {
        sum += partial_sums[value * THREADS + row_set * LANES + lane];
    }
    return sum;
}
