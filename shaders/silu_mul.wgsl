// gate[i] = silu(gate[i]) * up[i], with silu(x) = x / (1 + exp(-x)).
// Shazeer, "GLU Variants Improve Transformer" (2020): SwiGLU.
//
// Constants: COLUMNS.
@group(0) @binding(0) var<storage, read_write> gate: array<vec4<f32>>;  // [tokens, COLUMNS / 4]
@group(0) @binding(1) var<storage, read> up: array<vec4<f32>>;          // [tokens, COLUMNS / 4]

// Past this exponent the result is as good as zero, x * 1e-35; some drivers turn an infinite exponential into NaN.
const LARGEST_EXPONENT: f32 = 80.0;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x < COLUMNS / 4u) {
        let index = id.y * (COLUMNS / 4u) + id.x;
        let x = gate[index];
        gate[index] = x / (1.0 + exp(min(-x, vec4<f32>(LARGEST_EXPONENT)))) * up[index];
    }
}
