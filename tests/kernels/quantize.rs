//! `shaders/quantize.wgsl`.

use qwisp::backend::gpu::operations::{Quantize, QuantizedRows};
use qwisp::backend::gpu::tier::Tier;
use qwisp::generate::Random;

use super::pass;
use super::reference::quantize::scale;
use super::support::closeness::{assert_each_close, widen};
use super::support::gpu::Gpu;
use super::support::halves::unpack_halves;
use super::support::noise::normal;

/// A unit in the last place of f16, as part of the number: WGSL lets a number become either of its neighbours.
const F16_ULP: f64 = 1.0 / 1024.0;
/// The smallest number that f16 holds with all its digits; a smaller one may become zero.
const F16_SMALLEST: f64 = 1.0 / 16_384.0;

#[test]
fn rows_are_quantised_in_sixteens() {
    for mut gpu in Gpu::open_tiers() {
        let mut random = Random::new(1);
        for (tokens, columns) in [(1, 32), (3, 896), (64, 4864)] {
            let mut input = normal(&mut random, tokens * columns, 1.0);
            // An outlier, as a Qwen has them; tiny numbers; zeros.
            input[5] = -40_000.0;
            input[16..32].iter_mut().for_each(|x| *x *= 1e-20);
            input[tokens * columns - 16..].fill(0.0);
            check(&mut gpu, &input, tokens, columns);
        }
    }
}

fn check(gpu: &mut Gpu, input: &[f32], tokens: usize, columns: usize) {
    let output = QuantizedRows::allocate(gpu.device(), tokens, columns);
    Quantize { step: &gpu.step(pass(tokens, 7)), input: &gpu.buffer(input), output: &output, tokens, columns }
        .record(&mut gpu.recorder);
    let words = gpu.read_words(&output.quants);
    let is_f16 = gpu.tier() == Tier::F16;
    let (largest, quants): (f64, Vec<f64>) = if is_f16 {
        (16.0, widen(&unpack_halves(&words)))
    } else {
        (127.0, words.iter().flat_map(|word| word.to_le_bytes()).map(|byte| f64::from(byte as i8)).collect())
    };
    assert_eq!(quants.len(), input.len(), "a quant for each number");
    let scales = gpu.read(&output.scales);

    let (mut expected_scales, mut sums) = (Vec::new(), Vec::new());
    for (x, quants) in widen(input).chunks(16).zip(quants.chunks(16)) {
        let scale = scale(x, largest);
        for (x, &quant) in x.iter().zip(quants) {
            let exact = if scale > 0.0 { x / scale } else { 0.0 };
            // What lies in the middle between two bytes may go to either.
            let tolerance = if is_f16 { F16_SMALLEST.max(exact.abs() * F16_ULP) } else { 0.5001 };
            assert!((quant - exact).abs() <= tolerance, "{}: {x} / {scale}: {quant}", gpu.tier().name());
        }
        expected_scales.push(scale);
        sums.push(scale * quants.iter().sum::<f64>());
    }
    let (got_scales, got_sums): (Vec<f32>, Vec<f32>) = scales.chunks(2).map(|pair| (pair[0], pair[1])).unzip();
    let case = format!("{}, {tokens} tokens, {columns} columns", gpu.tier().name());
    assert_each_close(&format!("{case}, scales"), &got_scales, &expected_scales, 1e-6);
    // The sum of bytes is exact; of a sum of f16 that nearly cancels, rounding is a larger part.
    for (index, (&got, sum)) in got_sums.iter().zip(sums).enumerate() {
        let tolerance = 1e-6 * if is_f16 { expected_scales[index] * largest } else { sum.abs() };
        assert!((f64::from(got) - sum).abs() <= tolerance, "{case}, sum {index}: got {got}, expected {sum}");
    }
}
