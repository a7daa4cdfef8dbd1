// weighed = residual[rows - 1, :] * norm, squares = its sums of squares: the last token of a pass, as the products of a single
// token want it under a norm.
//
// Constants: COLUMNS (a multiple of 8).
#import step
#import weigh

@group(0) @binding(0) var<uniform> step: Step;
@group(0) @binding(1) var<storage, read> residual: array<vec4<f32>>;         // [rows, COLUMNS / 4]
@group(0) @binding(2) var<storage, read> norm: array<vec4<f32>>;             // [COLUMNS / 4]
@group(0) @binding(3) var<storage, read_write> weighed: array<vec4<f32>>;    // [1, COLUMNS / 4]
@group(0) @binding(4) var<storage, read_write> squares: array<f32>;          // [COLUMNS / 8]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x < COLUMNS / 8u) {
        let quad = (step.rows - 1u) * (COLUMNS / 4u) + id.x * 2u;
        weigh_octet(id.x, residual[quad], residual[quad + 1u]);
    }
}
