// Past this exponent the result is as good as zero, x * 1e-35; some drivers turn an infinite exponential into NaN.
const LARGEST_EXPONENT: f32 = 80.0;

// silu(x) = x / (1 + exp(-x)).
fn silu(x: vec4<f32>) -> vec4<f32> {
    return x / (1.0 + exp(min(-x, vec4<f32>(LARGEST_EXPONENT))));
}
