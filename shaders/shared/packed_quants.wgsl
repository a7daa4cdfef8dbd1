// Sixteen quants as signed bytes, lowest first, whose products are made four at a time and added up exactly.
alias Quants16 = vec4<u32>;

// What the largest of sixteen inputs becomes.
const LARGEST_QUANT: f32 = 127.0;

// The nearest quants.
fn round_quants4(values: vec4<f32>) -> vec4<f32> {
    return round(values);
}

fn pack4(quants: vec4<f32>) -> u32 {
    let bytes = bitcast<vec4<u32>>(vec4<i32>(quants)) & vec4<u32>(0xffu);
    return bytes.x | (bytes.y << 8u) | (bytes.z << 16u) | (bytes.w << 24u);
}

fn pack16(a: vec4<f32>, b: vec4<f32>, c: vec4<f32>, d: vec4<f32>) -> Quants16 {
    return Quants16(pack4(a), pack4(b), pack4(c), pack4(d));
}

fn dot16(q: Quants16, p: Quants16) -> i32 {
    return dot4I8Packed(q.x, p.x) + dot4I8Packed(q.y, p.y) + dot4I8Packed(q.z, p.z) + dot4I8Packed(q.w, p.w);
}

// Σ q p of four rows.
fn dots16(q0: Quants16, q1: Quants16, q2: Quants16, q3: Quants16, p: Quants16) -> vec4<f32> {
    return vec4<f32>(vec4<i32>(dot16(q0, p), dot16(q1, p), dot16(q2, p), dot16(q3, p)));
}
