//! `shaders/residual_matvec.wgsl`.

use qwisp::backend::gpu::device::MAX_BINDING_BYTES;
use qwisp::backend::gpu::operations::ResidualMatvec;
use qwisp::backend::gpu::tier::Tier;
use qwisp::generate::Random;
use qwisp::gguf::TensorType;

use super::reference::matmul::matvec;
use super::support::closeness::{assert_close, widen};
use super::support::gpu::Gpu;
use super::support::noise::normal;
use super::support::quantized_matrix::{QuantizedMatrix, Scales};
use super::{F32, WeighedRow, residual_with_outliers};

const PIECE_PAIRS: usize = 1 << 16;
/// Values behind the residual, which have to stay.
const BEHIND: usize = 5;

/// The shapes of real models: attention's output and down, with few lanes and with many.
const REAL: [(TensorType, [usize; 2]); 6] = [
    (TensorType::Q5_0, [896, 896]),
    (TensorType::Q6K, [896, 4864]),
    (TensorType::Q4K, [1536, 8960]),
    (TensorType::Q4K, [1024, 2048]),
    (TensorType::Q8_0, [96, 3072]),
    (TensorType::F16, [32, 6144]),
];

fn check(gpu: &mut Gpu, random: &mut Random, format: TensorType, [rows, columns]: [usize; 2]) {
    let matrix = QuantizedMatrix::random(random, format, [rows, columns], Scales::Moderate);
    let weights = matrix.upload(&mut gpu.recorder, MAX_BINDING_BYTES, PIECE_PAIRS);
    let (input, norm) = (normal(random, columns, 1.0), normal(random, rows, 1.0));
    let mut residual = residual_with_outliers(random, rows);
    residual.extend([7.5; BEHIND]);
    let buffer = gpu.buffer(&residual);
    let weighed = WeighedRow::empty(gpu, rows);
    ResidualMatvec {
        weights: &weights,
        input: &gpu.buffer(&input),
        residual: &buffer,
        norm: &gpu.buffer(&norm),
        weighed: weighed.buffers(),
    }
    .record(&mut gpu.recorder);
    let got = gpu.read(&buffer);

    let case = format!("{}, {format:?} [{rows}, {columns}]", gpu.tier().name());
    let product = matvec(&matrix.dequantized(), &widen(&input));
    let expected: Vec<f64> = product.iter().zip(&residual).map(|(sum, &before)| sum + f64::from(before)).collect();
    assert_close(&case, &got[..rows], &expected, F32);
    assert_eq!(got[rows..], [7.5; BEHIND], "{case}: behind the residual");
    weighed.check(gpu, &case, &expected, &norm);
}

#[test]
fn the_product_is_added_and_weighed_in_every_format() {
    let mut gpu = Gpu::open();
    let mut random = Random::new(1);
    for format in TensorType::ALL {
        check(&mut gpu, &mut random, format, [64, format.block_weights().max(96)]);
        // Not all of the last workgroup has rows.
        check(&mut gpu, &mut random, format, [8, 256]);
    }
}

#[test]
fn products_of_real_shapes_are_right_on_every_tier() {
    for mut gpu in Gpu::open_tiers() {
        let mut random = Random::new(2);
        // The text of the kernel is the same on the other two.
        let cases = if matches!(gpu.tier(), Tier::Core | Tier::Subgroups { .. }) { &REAL[..] } else { &REAL[..1] };
        for &(format, shape) in cases {
            check(&mut gpu, &mut random, format, shape);
        }
    }
}
