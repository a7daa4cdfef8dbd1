// Rows of floats as quants, bytes or f16 according to the tier: x ≈ scale * p, with p = x / scale rounded, and
// scale = max |x| / LARGEST_QUANT of each 16 columns, so that an outlier makes only its neighbours less exact. The products
// of quants also need scale * Σ p.
// A thread quantises 16 columns.
//
// Constants: COLUMNS, a multiple of 16.
#import step
#import quants

@group(0) @binding(0) var<uniform> step: Step;
@group(0) @binding(1) var<storage, read> input: array<vec4<f32>>;          // [tokens, COLUMNS / 4]
@group(0) @binding(2) var<storage, read_write> quants: array<Quants16>;    // [tokens, COLUMNS / 16]
@group(0) @binding(3) var<storage, read_write> scales: array<vec2<f32>>;   // [tokens, COLUMNS / 16]: scale, scale * Σ p

const THREADS: u32 = 64u;

@compute @workgroup_size(THREADS)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= step.rows * (COLUMNS / 16u)) {
        return;
    }
    let x0 = input[id.x * 4u];
    let x1 = input[id.x * 4u + 1u];
    let x2 = input[id.x * 4u + 2u];
    let x3 = input[id.x * 4u + 3u];
    let largest4 = max(max(abs(x0), abs(x1)), max(abs(x2), abs(x3)));
    let largest = max(max(largest4.x, largest4.y), max(largest4.z, largest4.w));
    // The inverse of a subnormal number would be infinite: columns as small as that count as zeros.
    let inverse = select(0.0, LARGEST_QUANT / largest, largest > 1e-30);
    let p0 = round_quants4(x0 * inverse);
    let p1 = round_quants4(x1 * inverse);
    let p2 = round_quants4(x2 * inverse);
    let p3 = round_quants4(x3 * inverse);
    quants[id.x] = pack16(p0, p1, p2, p3);
    let scale = largest / LARGEST_QUANT;
    scales[id.x] = vec2<f32>(scale, scale * dot(p0 + p1 + p2 + p3, vec4<f32>(1.0)));
}
