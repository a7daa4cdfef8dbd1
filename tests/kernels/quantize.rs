//! `shaders/quantize.wgsl`.

use qwisp::backend::gpu::operations::{Quantize, QuantizedRows};
use qwisp::generate::Random;

use super::pass;
use super::reference::quantize::quantize;
use super::support::closeness::{assert_each_close, widen};
use super::support::gpu::Gpu;
use super::support::noise::normal;

#[test]
fn rows_are_quantised_in_sixteens() {
    let mut gpu = Gpu::open();
    let mut random = Random::new(1);
    for (tokens, columns) in [(1, 32), (3, 896), (64, 4864)] {
        let mut input = normal(&mut random, tokens * columns, 1.0);
        // An outlier, as a Qwen has them; tiny numbers; zeros.
        input[5] = -40_000.0;
        input[16..32].iter_mut().for_each(|x| *x *= 1e-20);
        input[tokens * columns - 16..].fill(0.0);
        let output = QuantizedRows::allocate(gpu.device(), tokens, columns);
        Quantize { step: &gpu.step(pass(tokens, 7)), input: &gpu.buffer(&input), output: &output, tokens, columns }
            .record(&mut gpu.recorder);
        let quants: Vec<i8> =
            gpu.read(&output.quants).iter().flat_map(|word| word.to_le_bytes()).map(|byte| byte as i8).collect();
        let scales = gpu.read(&output.scales);

        let (mut expected_scales, mut sums) = (Vec::new(), Vec::new());
        for (x, quants) in widen(&input).chunks(16).zip(quants.chunks(16)) {
            let (scale, expected) = quantize(x);
            for ((x, expected), &got) in x.iter().zip(expected).zip(quants) {
                // What lies in the middle between two bytes may go to either.
                let middle = (x / scale).fract().abs() - 0.5;
                let difference = (f64::from(got) - expected).abs();
                assert!(difference == 0.0 || difference == 1.0 && middle.abs() < 1e-4, "{x} / {scale}: {got}");
            }
            expected_scales.push(scale);
            sums.push(scale * quants.iter().map(|&quant| f64::from(quant)).sum::<f64>());
        }
        let (got_scales, got_sums): (Vec<f32>, Vec<f32>) = scales.chunks(2).map(|pair| (pair[0], pair[1])).unzip();
        let case = format!("{tokens} tokens, {columns} columns");
        assert_each_close(&format!("{case}, scales"), &got_scales, &expected_scales, 1e-6);
        assert_each_close(&format!("{case}, sums"), &got_sums, &sums, 1e-6);
    }
}
