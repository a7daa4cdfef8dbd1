//! `shaders/query_key_value.wgsl`.

use qwisp::backend::gpu::device::MAX_BINDING_BYTES;
use qwisp::backend::gpu::operations::QueryKeyValue;
use qwisp::backend::gpu::tier::Tier;
use qwisp::generate::Random;
use qwisp::gguf::TensorType;

use super::reference::query_key_value::query_key_value;
use super::support::closeness::{assert_close, widen};
use super::support::gpu::Gpu;
use super::support::noise::normal;
use super::support::quantized_matrix::{QuantizedMatrix, Scales};
use super::{F32, WeighedRow, residual_with_outliers};

const PIECE_PAIRS: usize = 1 << 16;
const EPSILON: f32 = 1e-6;
/// Values behind the output, which have to stay.
const BEHIND: usize = 5;

/// Formats and rows of queries, keys and values, and the width.
type Case = ([TensorType; 3], [usize; 3], usize);

/// The shapes of real models, their formats mixed: files mix them, too.
const MIXED: [Case; 5] = {
    use TensorType::*;
    [
        ([Q5_0, Q5_0, Q8_0], [896, 128, 128], 896),
        ([Q4K, Q4K, Q6K], [1536, 256, 256], 1536),
        ([Q4K, Q6K, Q4_0], [192, 64, 64], 3584),
        ([F16, F32, BF16], [128, 64, 64], 1024),
        ([Q5K, Q4_1, Q5_1], [128, 192, 64], 2048),
    ]
};

fn check(gpu: &mut Gpu, random: &mut Random, (formats, rows, columns): Case) {
    let matrices = [0, 1, 2]
        .map(|index| QuantizedMatrix::random(random, formats[index], [rows[index], columns], Scales::Moderate));
    let tensors = matrices.each_ref().map(|matrix| matrix.upload(&mut gpu.recorder, MAX_BINDING_BYTES, PIECE_PAIRS));
    let weights = matrices.each_ref().map(QuantizedMatrix::dequantized);
    let norm = normal(random, columns, 1.0);

    let biases = rows.map(|rows| normal(random, rows, 30.0));
    // A model without biases has one buffer of zeros for all three, as long as the longest.
    let zeros = rows.map(|rows| vec![0.0; rows]);
    let no_bias = gpu.uniform_values(&vec![0.0f32; rows[0].max(rows[1]).max(rows[2])]);
    let bias_buffers = biases.each_ref().map(|bias| gpu.uniform_values(bias));
    // What is added to the mean square is as large as the first one's.
    let runs = [
        ("with a bias", normal(random, columns, 1e-3), bias_buffers.each_ref(), &biases),
        ("without, outliers", residual_with_outliers(random, columns), [&no_bias; 3], &zeros),
    ];
    for (name, residual, bias_buffers, biases) in runs {
        let total_rows: usize = rows.iter().sum();
        let weighed = WeighedRow::of(gpu, &residual, &norm);
        let qkv = gpu.buffer(&vec![7.5f32; total_rows + BEHIND]);
        QueryKeyValue {
            input: weighed.buffers(),
            epsilon: EPSILON,
            weights: tensors.each_ref(),
            biases: bias_buffers,
            qkv: &qkv,
        }
        .record(&mut gpu.recorder);
        let got = gpu.read(&qkv);

        let case = format!("{}, {formats:?}, {rows:?}, {columns} columns, {name}", gpu.tier().name());
        let expected = query_key_value(
            &widen(&residual),
            &widen(&norm),
            EPSILON.into(),
            weights.each_ref().map(Vec::as_slice),
            biases.each_ref().map(Vec::as_slice),
        );
        assert_close(&case, &got[..total_rows], &expected, F32);
        assert_eq!(got[total_rows..], [7.5; BEHIND], "{case}: behind the output");
    }
}

#[test]
fn projections_are_right_in_every_format() {
    let mut gpu = Gpu::open();
    let mut random = Random::new(1);
    for format in TensorType::ALL {
        check(&mut gpu, &mut random, ([format; 3], [128, 64, 64], format.block_weights().max(96)));
    }
}

#[test]
fn projections_of_mixed_formats_and_real_widths_are_right_on_every_tier() {
    for mut gpu in Gpu::open_tiers() {
        let mut random = Random::new(2);
        // The text of the kernel is the same on the other two.
        let cases = if matches!(gpu.tier(), Tier::Core | Tier::Subgroups { .. }) { &MIXED[..] } else { &MIXED[..1] };
        for &case in cases {
            check(&mut gpu, &mut random, case);
        }
    }
}
