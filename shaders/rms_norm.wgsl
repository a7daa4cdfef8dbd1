// output[row, :] = x / sqrt(mean(x²) + EPSILON) * weight, with x = input[first_row + row, :].
// Zhang and Sennrich, "Root Mean Square Layer Normalization" (2019). One workgroup a row.
//
// Constants: COLUMNS, EPSILON.
#import step
#import is_finite

@group(0) @binding(0) var<uniform> step: Step;
@group(0) @binding(1) var<storage, read> input: array<vec4<f32>>;         // [rows, COLUMNS / 4]
@group(0) @binding(2) var<storage, read> weight: array<vec4<f32>>;        // [COLUMNS / 4]
@group(0) @binding(3) var<storage, read_write> output: array<vec4<f32>>;  // [rows, COLUMNS / 4]

const THREADS: u32 = 64u;
const COLUMN_QUADS: u32 = COLUMNS / 4u;

var<workgroup> squares: array<f32, THREADS>;

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let source = (step.first_row + workgroup.x) * COLUMN_QUADS;
    let destination = workgroup.x * COLUMN_QUADS;

    var sum = 0.0;
    for (var quad = thread; quad < COLUMN_QUADS; quad += THREADS) {
        let x = input[source + quad];
        sum += dot(x, x);
    }
    squares[thread] = sum;
    workgroupBarrier();
    for (var stride = THREADS / 2u; stride > 0u; stride /= 2u) {
        if (thread < stride) {
            squares[thread] += squares[thread + stride];
        }
        workgroupBarrier();
    }

    // Divided by a root of infinity, a residual out of range would pass for zeros.
    let scale = select(squares[0], 1.0 / sqrt(squares[0] / f32(COLUMNS) + EPSILON), is_finite(squares[0]));
    for (var quad = thread; quad < COLUMN_QUADS; quad += THREADS) {
        output[destination + quad] = input[source + quad] * scale * weight[quad];
    }
}
