// Rows of floats as bytes: x ≈ scale * p, with p = round(x / scale) and scale = max |x| / 127 of each 16 columns, so
// that an outlier makes only its neighbours less exact. The products of bytes also need scale * Σ p.
// A thread quantises 16 columns.
//
// Constants: COLUMNS, a multiple of 16.
#import step

@group(0) @binding(0) var<uniform> step: Step;
@group(0) @binding(1) var<storage, read> input: array<vec4<f32>>;          // [tokens, COLUMNS / 4]
@group(0) @binding(2) var<storage, read_write> quants: array<vec4<u32>>;   // [tokens, COLUMNS / 16], signed bytes
@group(0) @binding(3) var<storage, read_write> scales: array<vec2<f32>>;   // [tokens, COLUMNS / 16]: scale, scale * Σ p

const THREADS: u32 = 64u;

// Four integers of -127 to 127 as bytes, lowest first.
fn pack_bytes(values: vec4<f32>) -> u32 {
    let bytes = bitcast<vec4<u32>>(vec4<i32>(values)) & vec4<u32>(0xffu);
    return bytes.x | (bytes.y << 8u) | (bytes.z << 16u) | (bytes.w << 24u);
}

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
    let inverse = select(0.0, 127.0 / largest, largest > 1e-30);
    let p0 = round(x0 * inverse);
    let p1 = round(x1 * inverse);
    let p2 = round(x2 * inverse);
    let p3 = round(x3 * inverse);
    quants[id.x] = vec4<u32>(pack_bytes(p0), pack_bytes(p1), pack_bytes(p2), pack_bytes(p3));
    let scale = largest / 127.0;
    scales[id.x] = vec2<f32>(scale, scale * dot(p0 + p1 + p2 + p3, vec4<f32>(1.0)));
}
