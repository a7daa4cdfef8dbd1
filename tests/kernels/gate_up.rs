//! `shaders/gate_up.wgsl`.

use qwisp::backend::gpu::device::MAX_BINDING_BYTES;
use qwisp::backend::gpu::operations::GateUp;
use qwisp::backend::gpu::recorder::Recorder;
use qwisp::backend::gpu::tier::Tier;
use qwisp::generate::Random;
use qwisp::gguf::TensorType;

use super::reference::gate_up::gate_up;
use super::support::closeness::{assert_close, widen};
use super::support::gpu::{Gpu, open_tiers};
use super::support::noise::normal;
use super::support::quantized_matrix::{QuantizedMatrix, Scales};
use super::{F32, WeighedRow, residual_with_outliers};

const PIECE_PAIRS: usize = 1 << 16;
const EPSILON: f32 = 1e-6;
/// Values behind the output, which have to stay.
const BEHIND: usize = 5;

/// Formats of gate and up, and their shape.
type Case = ([TensorType; 2], [usize; 2]);

/// The shapes of real models, and some formats mixed.
const REAL: [Case; 6] = {
    use TensorType::*;
    [
        ([Q5_0, Q5_0], [4864, 896]),
        ([Q4K, Q4K], [8960, 1536]),
        ([Q4K, Q6K], [96, 3584]),
        ([F32, BF16], [64, 1024]),
        ([Q8_0, F16], [64, 2048]),
        ([Q4_0, Q5K], [32, 1024]),
    ]
};

fn check(gpu: &mut Gpu, random: &mut Random, (formats, [rows, columns]): Case) {
    let matrices = formats.map(|format| QuantizedMatrix::random(random, format, [rows, columns], Scales::Moderate));
    let [gate, up] = matrices.each_ref().map(|matrix| matrix.upload(&mut gpu.recorder, MAX_BINDING_BYTES, PIECE_PAIRS));
    let [gate_weights, up_weights] = matrices.each_ref().map(QuantizedMatrix::dequantized);
    // Such that a gate is some units large, where its function bends.
    let norm = normal(random, columns, 1.0 / (columns as f32).sqrt());
    // What is added to the mean square is as large as the first one's.
    let runs = [("", normal(random, columns, 1e-3)), (", outliers", residual_with_outliers(random, columns))];
    for (name, residual) in runs {
        let weighed = WeighedRow::of(gpu, &residual, &norm);
        let hidden = gpu.buffer(&vec![7.5f32; rows + BEHIND]);
        GateUp { input: weighed.buffers(), epsilon: EPSILON, gate: &gate, up: &up, hidden: &hidden }
            .record(&mut gpu.recorder);
        let got = gpu.read(&hidden);

        let case = format!("{}, {formats:?} [{rows}, {columns}]{name}", gpu.tier().name());
        let expected = gate_up(&widen(&residual), &widen(&norm), EPSILON.into(), &gate_weights, &up_weights);
        assert_close(&case, &got[..rows], &expected, F32);
        assert_eq!(got[rows..], [7.5; BEHIND], "{case}: behind the output");
    }
}

#[test]
fn gate_and_up_are_right_in_every_format() {
    let mut gpu = Gpu::open();
    let mut random = Random::new(1);
    for format in TensorType::ALL {
        check(&mut gpu, &mut random, ([format; 2], [64, format.block_weights().max(96)]));
    }
}

#[test]
fn gate_and_up_of_real_shapes_are_right_on_every_tier() {
    for mut gpu in Gpu::open_tiers() {
        let mut random = Random::new(2);
        // The text of the kernel is the same on the other two.
        let cases = if matches!(gpu.tier(), Tier::Core | Tier::Subgroups { .. }) { &REAL[..] } else { &REAL[..1] };
        for &case in cases {
            check(&mut gpu, &mut random, case);
        }
    }
}

/// Some devices have subgroups of several sizes, and a kernel knows only the smallest.
#[test]
fn subgroups_may_be_larger_than_the_smallest() {
    for mut device in open_tiers() {
        let Tier::Subgroups { min_size: size } = device.tier else { continue };
        for min_size in (0..5).map(|exponent| 1 << exponent).filter(|&min_size| min_size < size) {
            device.tier = Tier::Subgroups { min_size };
            let mut gpu = Gpu { recorder: Recorder::new(device.clone()) };
            check(&mut gpu, &mut Random::new(3), ([TensorType::Q5_0; 2], [64, 896]));
        }
    }
}
