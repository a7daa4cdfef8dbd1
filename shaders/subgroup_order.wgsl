// Tells which thread of its subgroup each thread of a workgroup is. WGSL doesn't promise an order; `shared/subgroup_sums.wgsl`
// needs that subgroups hold consecutive threads.
@group(0) @binding(0) var<storage, read_write> order: array<vec2<u32>>; // [128], place in the subgroup and the subgroup's size

@compute @workgroup_size(128)
fn main(
    @builtin(local_invocation_index) thread: u32,
    @builtin(subgroup_invocation_id) place: u32,
    @builtin(subgroup_size) size: u32,
) {
    order[thread] = vec2<u32>(place, size);
}
