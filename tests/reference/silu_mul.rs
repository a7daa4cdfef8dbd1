//! Shazeer, "GLU Variants Improve Transformer" (2020).

/// y = silu(gate) · up, with silu(x) = x / (1 + e⁻ˣ)
pub(crate) fn silu_mul(gate: f64, up: f64) -> f64 {
    gate / (1.0 + (-gate).exp()) * up
}
