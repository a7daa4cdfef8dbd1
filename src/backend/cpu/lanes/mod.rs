//! Vectors of 128 bits, as far as the CPU backend computes with them: WebAssembly's own in a browser, arrays elsewhere.
//!
//! Both versions have the same functions with the same results. Arrays compile to what the processor has.

#[cfg(not(target_arch = "wasm32"))]
mod portable;
#[cfg(target_arch = "wasm32")]
mod simd128;

#[cfg(not(target_arch = "wasm32"))]
pub use portable::{F32x4, I16x8, I32x4, U8x16};
#[cfg(target_arch = "wasm32")]
pub use simd128::{F32x4, I16x8, I32x4, U8x16};

impl F32x4 {
    /// eˣ, with a relative error of at most 3e-7; not a number where x isn't one. Results end at 1e-38 and 1e38.
    #[inline]
    pub fn exp(self) -> Self {
        // x = n · ln 2 + r: ln 2 in two parts, the first so short that its product with n is exact (Cody and Waite).
        const LN_2_HIGH: f32 = 0.693_359_4;
        const LN_2_LOW: f32 = -2.121_944_4e-4;
        // eʳ for |r| up to ln 2 / 2: Taylor's series.
        const COEFFICIENTS: [f32; 7] = [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0];

        let x = self.at_least(-87.3).at_most(88.0);
        let n = (x * Self::splat(std::f32::consts::LOG2_E)).nearest();
        let r = x - n * Self::splat(LN_2_HIGH) - n * Self::splat(LN_2_LOW);
        let series = COEFFICIENTS.into_iter().fold(Self::ZERO, |sum, coefficient| sum * r + Self::splat(coefficient));
        series * n.power_of_two()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponentials_are_those_of_the_standard_library() {
        for step in -8700..=8800 {
            let x = step as f32 / 100.0;
            let expected = f64::from(x).exp();
            for got in F32x4::splat(x).exp().to_array() {
                let error = (f64::from(got) - expected).abs() / expected;
                assert!(error <= 3e-7, "exp({x}): got {got}, expected {expected}");
            }
        }
        assert!(F32x4::splat(f32::NAN).exp().to_array()[0].is_nan());
        assert!(F32x4::splat(-3.4e38).exp().to_array()[0] < 2e-38);
    }

    #[test]
    fn halves_are_widened_exactly() {
        for bits in 0..=u16::MAX {
            let expected = half::f16::from_bits(bits).to_f32();
            let got = F32x4::from_halves(&[bits; 4]).to_array()[3];
            assert!(got.to_bits() == expected.to_bits() || got.is_nan() && expected.is_nan(), "{bits:#06x}");
        }
    }
}
