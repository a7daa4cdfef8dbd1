// What a kernel that writes the residual stream does for the norm after it, see `norm.wgsl`: the residual times the norm's
// weights, and the sums of squares of eight values each.
//
// The kernel declares `residual`, `norm`, `weighed` and `squares`; `residual` holds whole rows, `weighed` one.
fn weigh_octet(octet: u32, low: vec4<f32>, high: vec4<f32>) {
    weighed[octet * 2u] = low * norm[octet * 2u];
    weighed[octet * 2u + 1u] = high * norm[octet * 2u + 1u];
    squares[octet] = dot(low, low) + dot(high, high);
}
