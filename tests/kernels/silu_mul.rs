//! `shaders/silu_mul.wgsl`.

use qwisp::backend::gpu::operations::SiluMul;
use qwisp::generate::Random;

use super::F32;
use super::reference::silu_mul::silu_mul;
use super::support::closeness::{assert_close, assert_each_close};
use super::support::gpu::Gpu;
use super::support::noise::normal;

/// Runs the kernel; `gate` and `up` are of `[tokens, columns]`.
fn run(gpu: &mut Gpu, gate: &[f32], up: &[f32], columns: usize) -> Vec<f32> {
    let (gate_buffer, up_buffer) = (gpu.buffer(gate), gpu.buffer(up));
    SiluMul { gate: &gate_buffer, up: &up_buffer, tokens: gate.len() / columns, columns }.record(&mut gpu.recorder);
    gpu.read(&gate_buffer)
}

fn reference(gate: &[f32], up: &[f32]) -> Vec<f64> {
    gate.iter().zip(up).map(|(&gate, &up)| silu_mul(gate.into(), up.into())).collect()
}

#[test]
fn silu_mul_is_as_in_its_paper() {
    let cases = [("four columns", 1, 4), ("odd", 3, 100), ("0.5B", 64, 4864), ("1.5B", 2, 8960)];
    let mut gpu = Gpu::open();
    let mut random = Random::new(1);
    for (name, tokens, columns) in cases {
        let gate = normal(&mut random, tokens * columns, 3.0);
        let up = normal(&mut random, tokens * columns, 3.0);
        assert_close(name, &run(&mut gpu, &gate, &up, columns), &reference(&gate, &up), F32);
    }
}

#[test]
fn silu_mul_saturates_where_its_exponential_does() {
    let mut gpu = Gpu::open();
    // Rounding of the exponential grows with its argument: 20 times 6e-8 at -20.
    let gate = [0.0, 1e-30, 1.0, -1.0, 20.0, -20.0, 100.0, 1e4, 1e30];
    let up = [2.0, -3.0, 2.0, -3.0, 2.0, -3.0, 2.0, -3.0, 2.0];
    let padded = |values: &[f32]| [values, &[0.0; 3]].concat();
    let got = run(&mut gpu, &padded(&gate), &padded(&up), gate.len() + 3);
    assert_each_close("up to the largest", &got[..gate.len()], &reference(&gate, &up), 1e-5);

    // So far down the exact value is below 1e-40: in f32 it may be zero or next to it, but has to be a number.
    let gate = [-100.0, -1e3, -1e4, -1e4];
    let got = run(&mut gpu, &gate, &[2.0; 4], gate.len());
    assert!(got.iter().all(|value| value.abs() < 1e-30), "{gate:?} became {got:?}");
}
