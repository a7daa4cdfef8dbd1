// How the threads of a workgroup share the rows of a matrix: sets of LANES threads work on ROWS_PER_THREAD rows each, a lane
// on every LANES-th group of them. So a set reads consecutive memory, and a thread uses what it loads of the input for
// several rows. VALUES sums of each thread are added up over the lanes at the end.
//
// Constants: THREADS, LANES, ROWS_PER_THREAD; VALUES is the kernel's.
const SETS: u32 = THREADS / LANES;
const ROWS_PER_WORKGROUP: u32 = SETS * ROWS_PER_THREAD;

var<workgroup> partial_sums: array<f32, VALUES * THREADS>;

// Makes one of a thread's sums known. A barrier has to follow.
fn share_sum(thread: u32, value: u32, sum: f32) {
    partial_sums[value * THREADS + thread] = sum;
}

// A sum over all lanes of a set.
fn sum_of_lanes(row_set: u32, value: u32) -> f32 {
    var sum = 0.0;
    for (var lane = 0u; lane < LANES; lane++) {
        sum += partial_sums[value * THREADS + row_set * LANES + lane];
    }
    return sum;
}
