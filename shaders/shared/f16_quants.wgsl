// Sixteen quants as f16, whose products are made and added up in f16.
struct Quants16 {
    a: vec4<f16>,
    b: vec4<f16>,
    c: vec4<f16>,
    d: vec4<f16>,
}

// What the largest of sixteen inputs becomes. The quants of weights are at most 128, so sums of sixteen products stay below
// the largest f16, 65504; and what f16 has no normal numbers for is less than a 260,000th of the largest.
const LARGEST_QUANT: f32 = 16.0;

// The nearest quants.
fn round_quants4(values: vec4<f32>) -> vec4<f32> {
    return vec4<f32>(vec4<f16>(values));
}

fn pack16(a: vec4<f32>, b: vec4<f32>, c: vec4<f32>, d: vec4<f32>) -> Quants16 {
    return Quants16(vec4<f16>(a), vec4<f16>(b), vec4<f16>(c), vec4<f16>(d));
}

// Σ q p of four rows: an element of a vector is a row, for GPUs that compute two neighbours at once.
fn dots16(q0: Quants16, q1: Quants16, q2: Quants16, q3: Quants16, p: Quants16) -> vec4<f32> {
    let a = transpose(mat4x4<f16>(q0.a, q1.a, q2.a, q3.a)) * p.a;
    let b = transpose(mat4x4<f16>(q0.b, q1.b, q2.b, q3.b)) * p.b;
    let c = transpose(mat4x4<f16>(q0.c, q1.c, q2.c, q3.c)) * p.c;
    let d = transpose(mat4x4<f16>(q0.d, q1.d, q2.d, q3.d)) * p.d;
    return vec4<f32>((a + b) + (c + d));
}
