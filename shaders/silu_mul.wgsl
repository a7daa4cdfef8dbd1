// gate[i] = silu(gate[i]) * up[i].
// Shazeer, "GLU Variants Improve Transformer" (2020): SwiGLU.
//
// Constants: COLUMNS.
#import silu

@group(0) @binding(0) var<storage, read_write> gate: array<vec4<f32>>;  // [tokens, COLUMNS / 4]
@group(0) @binding(1) var<storage, read> up: array<vec4<f32>>;          // [tokens, COLUMNS / 4]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x < COLUMNS / 4u) {
        let index = id.y * (COLUMNS / 4u) + id.x;
        gate[index] = silu(gate[index]) * up[index];
    }
}
