// Sums over the LANES threads of a set: within subgroups first, so that fewer of them go through workgroup memory. Any size
// of a subgroup will do, as long as it holds consecutive threads; that is what all drivers do, and `Device` makes sure.
//
// Constants: THREADS, LANES, SUBGROUP_MIN_SIZE (a power of two); VALUES is the kernel's.

// Neighbours whose sums are joined in a subgroup.
const CLUSTER: u32 = min(LANES, SUBGROUP_MIN_SIZE);
const CLUSTERS: u32 = THREADS / CLUSTER;

var<workgroup> partial_sums: array<f32, VALUES * CLUSTERS>;

// Makes one of a thread's VALUES sums known. A barrier has to follow.
fn share_sum(thread: u32, value: u32, sum: f32) {
    var joined = sum;
    for (var stride = 1u; stride < CLUSTER; stride *= 2u) {
        joined += subgroupShuffleXor(joined, stride);
    }
    if (thread % CLUSTER == 0u) {
        partial_sums[value * CLUSTERS + thread / CLUSTER] = joined;
    }
}

// One of the sums over all lanes of a set.
fn sum_of_lanes(row_set: u32, value: u32) -> f32 {
    const SET_CLUSTERS: u32 = LANES / CLUSTER;
    var sum = 0.0;
    for (var cluster = 0u; cluster < SET_CLUSTERS; cluster++) {
        sum += partial_sums[value * CLUSTERS + row_set * SET_CLUSTERS + cluster];
    }
    return sum;
}
