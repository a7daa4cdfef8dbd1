//! `shaders/matvec.wgsl` for one token, `shaders/small_matmul.wgsl` for a few, `shaders/matmul.wgsl` and
//! `shaders/matmul_quantized.wgsl` for more.

use qwisp::backend::gpu::device::MAX_BINDING_BYTES;
use qwisp::backend::gpu::operations::{Arithmetic, MatMul, Quantize, QuantizedRows};
use qwisp::backend::gpu::shaders::Epilogue;
use qwisp::backend::gpu::tensor::Tensor;
use qwisp::backend::gpu::tier::Tier;
use qwisp::generate::Random;
use qwisp::gguf::TensorType;

use super::reference::matmul::matvec;
use super::support::closeness::{assert_close, widen};
use super::support::gpu::Gpu;
use super::support::noise::normal;
use super::support::quantized_matrix::{QuantizedMatrix, Scales};
use super::{F16, F32, PACKED, pass};

const PIECE_PAIRS: usize = 1 << 16;

/// The formats whose blocks are 32 weights or fewer, and those of 256.
const SHORT_BLOCKS: [TensorType; 8] = [
    TensorType::F32,
    TensorType::F16,
    TensorType::BF16,
    TensorType::Q4_0,
    TensorType::Q4_1,
    TensorType::Q5_0,
    TensorType::Q5_1,
    TensorType::Q8_0,
];
const LONG_BLOCKS: [TensorType; 3] = [TensorType::Q4K, TensorType::Q5K, TensorType::Q6K];

/// A matrix on the GPU, inputs for it, and the products to expect.
struct Problem {
    name: String,
    weights: Tensor,
    /// `[rows, columns]`.
    dequantized: Vec<f32>,
    columns: usize,
    input: Vec<f32>,
    bias: Vec<f32>,
    /// `[tokens, rows]`.
    products: Vec<f64>,
}

impl Problem {
    fn random(
        gpu: &mut Gpu,
        random: &mut Random,
        format: TensorType,
        [rows, columns]: [usize; 2],
        max_tokens: usize,
        max_binding_bytes: u64,
    ) -> Self {
        let matrix = QuantizedMatrix::random(random, format, [rows, columns], Scales::Moderate);
        let dequantized = matrix.dequantized();
        let input = normal(random, max_tokens * columns, 1.0);
        Self {
            name: format!("{format:?} [{rows}, {columns}]"),
            weights: matrix.upload(&mut gpu.recorder, max_binding_bytes, PIECE_PAIRS),
            columns,
            products: input.chunks(columns).flat_map(|token| matvec(&dequantized, &widen(token))).collect(),
            dequantized,
            bias: normal(random, rows, 30.0),
            input,
        }
    }

    /// Computes the first `tokens` in every arithmetic.
    fn check(&self, gpu: &mut Gpu, random: &mut Random, epilogue: Epilogue, tokens: usize) {
        self.check_in(Arithmetic::F32, gpu, random, epilogue, tokens);
        if MatMul::reads_quantized(self.weights.tensor_type, tokens) {
            self.check_in(Arithmetic::Quantized, gpu, random, epilogue, tokens);
        }
    }

    /// Computes the first `tokens` into some columns of a wider output, whose other columns have to stay.
    fn check_in(&self, arithmetic: Arithmetic, gpu: &mut Gpu, random: &mut Random, epilogue: Epilogue, tokens: usize) {
        let rows = self.weights.rows;
        let (output_columns, output_offset) = (rows + 5, 3);
        let before = normal(random, tokens * output_columns, 30.0);
        let output = gpu.buffer(&before);
        let bias = gpu.buffer(&self.bias);
        let step = gpu.step(pass(tokens, 7));
        let input = gpu.buffer(&self.input[..tokens * self.columns]);
        let quantized_input =
            (arithmetic == Arithmetic::Quantized).then(|| QuantizedRows::allocate(gpu.device(), tokens, self.columns));
        let mut products = self.products[..tokens * rows].to_vec();
        let mut tolerance = F32;
        if let Some(output) = &quantized_input {
            let columns = self.columns;
            Quantize { step: &step, input: &input, output, tokens, columns }.record(&mut gpu.recorder);
            match gpu.tier() {
                Tier::F16 => tolerance = F16,
                _ => products = self.products_of_bytes(gpu, output, tokens),
            }
        }
        MatMul {
            step: &step,
            weights: &self.weights,
            input: &input,
            quantized_input: quantized_input.as_ref(),
            output: &output,
            output_columns,
            output_offset,
            tokens,
            epilogue,
            bias: (epilogue == Epilogue::StoreWithBias).then_some(&bias),
        }
        .record(&mut gpu.recorder);
        let got = gpu.read(&output);

        let case = format!("{}, {}, {arithmetic:?}, {epilogue:?}, {tokens} tokens", gpu.tier().name(), self.name);
        let mut results = Vec::with_capacity(tokens * rows);
        let mut expected = Vec::with_capacity(tokens * rows);
        for token in 0..tokens {
            let got = &got[token * output_columns..][..output_columns];
            let before = &before[token * output_columns..][..output_columns];
            let written = output_offset..output_offset + rows;
            assert_eq!(got[..written.start], before[..written.start], "{case}: columns before the output");
            assert_eq!(got[written.end..], before[written.end..], "{case}: columns behind the output");
            results.extend_from_slice(&got[written.clone()]);
            expected.extend((0..rows).map(|row| {
                let product = products[token * rows + row];
                match epilogue {
                    Epilogue::Store => product,
                    Epilogue::StoreWithBias => product + f64::from(self.bias[row]),
                    Epilogue::AddToResidual => product + f64::from(before[written.start + row]),
                }
            }));
        }
        assert_close(&case, &results, &expected, tolerance);
    }

    /// The products with the input as it was quantised, which are to be exact; and near those with the input itself, where
    /// there are so many that chance evens out.
    fn products_of_bytes(&self, gpu: &mut Gpu, rows: &QuantizedRows, tokens: usize) -> Vec<f64> {
        let quants = gpu.read(&rows.quants);
        let quants = quants.iter().flat_map(|word| word.to_le_bytes()).map(|byte| f64::from(byte as i8));
        let scales = gpu.read(&rows.scales);
        let input: Vec<f64> = quants.enumerate().map(|(i, quant)| quant * f64::from(scales[i / 16 * 2])).collect();
        let products: Vec<f64> =
            input.chunks(self.columns).flat_map(|token| matvec(&self.dequantized, token)).collect();
        let expected = &self.products[..tokens * self.weights.rows];
        if expected.len() >= 1024 {
            let rounded: Vec<f32> = products.iter().map(|&product| product as f32).collect();
            assert_close(&format!("{}, quantised, {tokens} tokens", self.name), &rounded, expected, PACKED);
        }
        products
    }
}

/// The device once for each kind of quants that it has: any tier but one has bytes.
fn quantizing_gpus() -> impl Iterator<Item = Gpu> {
    Gpu::open_tiers().filter(|gpu| matches!(gpu.tier(), Tier::Core | Tier::F16))
}

#[test]
fn small_products_are_right_in_every_format_with_every_epilogue_for_any_tokens() {
    let mut gpu = Gpu::open();
    let mut random = Random::new(1);
    // One block; fewer rows than a workgroup has; odd rows, more than a workgroup has.
    let short = [[1, 32], [3, 64], [131, 96]];
    let long = [[1, 256], [3, 512], [131, 768]];
    // Kernels for many tokens take long to compile, so each shape comes to one or two of their tiles, of 16 and of 64
    // tokens, with one epilogue.
    let many_tokens = [&[9, 16][..], &[49, 64], &[17, 33, 64]];
    for (formats, shapes) in [(&SHORT_BLOCKS[..], short), (&LONG_BLOCKS[..], long)] {
        for (&format, case) in formats.iter().flat_map(|format| [0, 1, 2].map(|case| (format, case))) {
            let problem = Problem::random(&mut gpu, &mut random, format, shapes[case], 64, MAX_BINDING_BYTES);
            for epilogue in Epilogue::ALL {
                for tokens in [1, 2, 5, 8] {
                    problem.check(&mut gpu, &mut random, epilogue, tokens);
                }
            }
            for &tokens in many_tokens[case] {
                problem.check(&mut gpu, &mut random, Epilogue::ALL[case], tokens);
            }
        }
    }
}

#[test]
fn products_of_real_widths_are_right() {
    let mut gpu = Gpu::open();
    let mut random = Random::new(2);
    // The matrices of the 0.5B model; where its rows are not whole blocks of 256, those of the 1.5B model.
    let short = [[896, 896], [128, 896], [4864, 896], [896, 4864]];
    let long = [[1536, 1536], [256, 1536], [896, 4864]];
    let problems = SHORT_BLOCKS.iter().flat_map(|format| short.map(|shape| (format, shape)));
    let problems = problems.chain(LONG_BLOCKS.iter().flat_map(|format| long.map(|shape| (format, shape))));
    for (index, (&format, shape)) in problems.enumerate() {
        let problem = Problem::random(&mut gpu, &mut random, format, shape, 33, MAX_BINDING_BYTES);
        // Each epilogue comes to every format, with another shape.
        let epilogue = Epilogue::ALL[index % Epilogue::ALL.len()];
        for tokens in [1, 33] {
            problem.check(&mut gpu, &mut random, epilogue, tokens);
        }
    }
}

#[test]
fn a_matrix_in_shards_gives_the_same_as_in_one_piece() {
    let mut gpu = Gpu::open();
    let mut random = Random::new(3);
    for (format, columns) in TensorType::ALL.map(|format| (format, format.block_weights().max(32))) {
        let max_binding_bytes = Tensor::bytes(format, 32, columns);
        let problem = Problem::random(&mut gpu, &mut random, format, [101, columns], 3, max_binding_bytes);
        assert_eq!(problem.weights.shards.len(), 4, "{}", problem.name);
        for tokens in [1, 3] {
            problem.check(&mut gpu, &mut random, Epilogue::Store, tokens);
            problem.check(&mut gpu, &mut random, Epilogue::AddToResidual, tokens);
        }
    }
}

#[test]
fn products_for_more_tokens_than_a_workgroup_computes_are_right() {
    let mut gpu = Gpu::open();
    let mut random = Random::new(5);
    for format in [TensorType::Q5_0, TensorType::Q4K, TensorType::Q6K, TensorType::F16] {
        let problem = Problem::random(&mut gpu, &mut random, format, [75, 512], 131, MAX_BINDING_BYTES);
        for tokens in [65, 128, 131] {
            problem.check(&mut gpu, &mut random, Epilogue::AddToResidual, tokens);
        }
    }
}

/// Some columns of a Qwen's activations are thousands of times as large as the others.
#[test]
fn outliers_do_not_spoil_a_product() {
    for mut gpu in quantizing_gpus() {
        let mut random = Random::new(6);
        for format in TensorType::ALL {
            let mut problem = Problem::random(&mut gpu, &mut random, format, [96, 1536], 20, MAX_BINDING_BYTES);
            for token in problem.input.chunks_mut(1536) {
                token[3] *= 20_000.0;
                token[700] *= -3_000.0;
                token[1024..1100].fill(0.0);
            }
            problem.products =
                problem.input.chunks(1536).flat_map(|token| matvec(&problem.dequantized, &widen(token))).collect();
            problem.check(&mut gpu, &mut random, Epilogue::Store, 20);
        }
    }
}

#[test]
fn quantised_products_are_right_in_tiles_of_any_size() {
    for mut gpu in quantizing_gpus() {
        let mut random = Random::new(7);
        for format in TensorType::ALL.into_iter().filter(|format| !format.is_float()) {
            let problem = Problem::random(&mut gpu, &mut random, format, [131, 768], 131, MAX_BINDING_BYTES);
            for tokens in [9, 131] {
                problem.check_in(Arithmetic::Quantized, &mut gpu, &mut random, Epilogue::Store, tokens);
            }
        }
    }
}

/// The head of the 0.5B model: more than one binding of core WebGPU holds.
#[test]
fn the_product_with_a_whole_vocabulary_is_right() {
    let mut gpu = Gpu::open();
    let mut random = Random::new(4);
    let problem = Problem::random(&mut gpu, &mut random, TensorType::Q8_0, [151_936, 896], 3, MAX_BINDING_BYTES);
    assert_eq!(problem.weights.shards.len(), 2);
    for tokens in [1, 3] {
        problem.check(&mut gpu, &mut random, Epilogue::Store, tokens);
    }
}

#[test]
fn products_are_right_on_every_tier() {
    for mut gpu in Gpu::open_tiers() {
        let mut random = Random::new(5);
        // Rows shared by 16 lanes, and by 32.
        let cases = [
            (TensorType::Q5_0, [67, 896]),
            (TensorType::Q8_0, [40, 4864]),
            (TensorType::Q4K, [67, 1536]),
            (TensorType::Q6K, [9, 8960]),
            (TensorType::F16, [33, 3584]),
        ];
        for (format, shape) in cases {
            let problem = Problem::random(&mut gpu, &mut random, format, shape, 40, MAX_BINDING_BYTES);
            for tokens in [1, 2, 5, 8, 40] {
                problem.check(&mut gpu, &mut random, Epilogue::AddToResidual, tokens);
            }
        }
    }
}
