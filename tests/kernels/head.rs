//! `shaders/head.wgsl`: logits against the reference, what penalties make of them against the sampler on the host.

use qwisp::backend::gpu::device::MAX_BINDING_BYTES;
use qwisp::backend::gpu::operations::{Head, LOGIT_BLOCK, OCCURRED, SamplingSettings, occurrences};
use qwisp::backend::gpu::tensor::Tensor;
use qwisp::backend::gpu::tier::Tier;
use qwisp::generate::{Random, Sampler};
use qwisp::gguf::TensorType;
use qwisp::sampling::Sampling;

use super::reference::head::logits;
use super::support::closeness::{assert_close, widen};
use super::support::gpu::Gpu;
use super::support::noise::normal;
use super::support::quantized_matrix::{QuantizedMatrix, Scales};
use super::{F32, WeighedRow, residual_with_outliers};

const PIECE_PAIRS: usize = 1 << 16;
const EPSILON: f32 = 1e-6;
/// Values behind the outputs, which have to stay.
const BEHIND: usize = 5;
const STAYS: f32 = 7.5;
/// The maximum of a block without a token that can be chosen.
const MASKED: f32 = -3.4e38;
/// The bits of the maximum of a block with a logit that is not finite.
const INFINITY: u32 = 0x7f80_0000;

/// A head on the GPU, and its last norm.
struct Problem {
    matrix: QuantizedMatrix,
    weights: Tensor,
    norm: Vec<f32>,
}

/// What the kernel leaves.
struct Logits {
    /// `[vocabulary]`.
    logits: Vec<f32>,
    /// The bits of f32 `[blocks]`.
    block_maxima: Vec<u32>,
}

impl Problem {
    fn random(
        gpu: &mut Gpu,
        random: &mut Random,
        format: TensorType,
        [rows, columns]: [usize; 2],
        max_binding_bytes: u64,
    ) -> Self {
        let matrix = QuantizedMatrix::random(random, format, [rows, columns], Scales::Moderate);
        Self {
            weights: matrix.upload(&mut gpu.recorder, max_binding_bytes, PIECE_PAIRS),
            matrix,
            norm: normal(random, columns, 1.0),
        }
    }

    fn name(&self, gpu: &Gpu) -> String {
        let QuantizedMatrix { tensor_type, rows, columns, .. } = self.matrix;
        format!("{}, {tensor_type:?} [{rows}, {columns}]", gpu.tier().name())
    }

    /// The logits for a token whose residual this is.
    fn run(&self, gpu: &mut Gpu, residual: &[f32], settings: SamplingSettings, occurrences: &[u32]) -> Logits {
        let rows = self.matrix.rows;
        let weighed = WeighedRow::of(gpu, residual, &self.norm);
        let blocks = rows.div_ceil(LOGIT_BLOCK);
        let logits = gpu.buffer(&vec![STAYS; rows + BEHIND]);
        let block_maxima = gpu.buffer(&vec![STAYS; blocks + BEHIND]);
        Head {
            settings: &gpu.uniform(settings),
            input: weighed.buffers(),
            epsilon: EPSILON,
            weights: &self.weights,
            occurrences: &gpu.buffer(occurrences),
            logits: &logits,
            block_maxima: &block_maxima,
        }
        .record(&mut gpu.recorder);
        let (mut logits, mut block_maxima) = (gpu.read(&logits), gpu.read_words(&block_maxima));
        assert_eq!(logits.split_off(rows), [STAYS; BEHIND], "{}: behind the logits", self.name(gpu));
        assert_eq!(block_maxima.split_off(blocks), [STAYS.to_bits(); BEHIND], "{}: behind the maxima", self.name(gpu));
        Logits { logits, block_maxima }
    }

    /// Compares logits and maxima with the reference; returns the logits.
    fn check(&self, gpu: &mut Gpu, residual: &[f32], choices: usize) -> Vec<f32> {
        let case = format!("{}, {choices} choices", self.name(gpu));
        let settings = settings(&Sampling::greedy(), choices);
        let got = self.run(gpu, residual, settings, &vec![0; self.matrix.rows]);
        let expected = logits(&widen(residual), &widen(&self.norm), EPSILON.into(), &self.matrix.dequantized());
        assert_close(&case, &got.logits, &expected, F32);
        assert_eq!(got.block_maxima, block_maxima(&got.logits, choices), "{case}: block maxima");
        got.logits
    }
}

fn settings(sampling: &Sampling, choices: usize) -> SamplingSettings {
    SamplingSettings::new(sampling, choices).expect("the kernel can choose so")
}

/// The bits of the maxima that belong to these logits.
pub(super) fn block_maxima(logits: &[f32], choices: usize) -> Vec<u32> {
    let maximum = |(block, logits): (usize, &[f32])| {
        let chosen = choices.saturating_sub(block * LOGIT_BLOCK).min(logits.len());
        match logits[..chosen].iter().all(|logit| logit.is_finite()) {
            true => logits[..chosen].iter().copied().fold(MASKED, f32::max).to_bits(),
            false => INFINITY,
        }
    };
    logits.chunks(LOGIT_BLOCK).enumerate().map(maximum).collect()
}

#[test]
fn logits_are_right_in_every_format() {
    let mut gpu = Gpu::open();
    let mut random = Random::new(1);
    for format in TensorType::ALL {
        let columns = format.block_weights().max(96);
        let problem = Problem::random(&mut gpu, &mut random, format, [75, columns], MAX_BINDING_BYTES);
        // All of them; up to the border of a block, and not.
        for choices in [75, 64, 33, 1] {
            let residual = normal(&mut random, columns, 1.0);
            problem.check(&mut gpu, &residual, choices);
        }
    }
}

#[test]
fn logits_of_real_widths_are_right_on_every_tier() {
    let cases = [
        (TensorType::Q8_0, [5003, 896]),
        (TensorType::Q6K, [1001, 1536]),
        (TensorType::Q4K, [70, 3584]),
        (TensorType::F16, [64, 1024]),
        (TensorType::Q5_0, [1, 2048]),
    ];
    for mut gpu in Gpu::open_tiers() {
        let mut random = Random::new(2);
        // The text of the kernel is the same on the other two.
        let cases = if matches!(gpu.tier(), Tier::Core | Tier::Subgroups { .. }) { &cases[..] } else { &cases[..1] };
        for &(format, [rows, columns]) in cases {
            let problem = Problem::random(&mut gpu, &mut random, format, [rows, columns], MAX_BINDING_BYTES);
            // What is added to the mean square is as large as this one's.
            problem.check(&mut gpu, &normal(&mut random, columns, 1e-3), rows);
            problem.check(&mut gpu, &residual_with_outliers(&mut random, columns), rows - rows / 50);
        }
    }
}

#[test]
fn a_head_in_shards_leaves_the_same_as_in_one_piece() {
    const ROWS: usize = 101;
    let mut gpu = Gpu::open();
    for (format, columns) in [(TensorType::Q5_0, 96), (TensorType::Q6K, 256), (TensorType::F32, 32)] {
        let max_binding_bytes = Tensor::bytes(format, 2 * LOGIT_BLOCK, columns);
        let mut problem = |max_binding_bytes| {
            Problem::random(&mut gpu, &mut Random::new(3), format, [ROWS, columns], max_binding_bytes)
        };
        let (whole, sharded) = (problem(MAX_BINDING_BYTES), problem(max_binding_bytes));
        assert_eq!(sharded.weights.shards.len(), 2);
        let residual = normal(&mut Random::new(4), columns, 1.0);
        // Choices end in the first shard, and in the second one.
        for choices in [40, 64, 99, 101] {
            let expected = whole.check(&mut gpu, &residual, choices);
            assert_eq!(sharded.check(&mut gpu, &residual, choices), expected, "{choices} choices");
        }
    }
}

/// That of the 0.5B model: more than one binding of core WebGPU holds.
#[test]
fn the_logits_of_a_whole_vocabulary_are_right() {
    let mut gpu = Gpu::open();
    let mut random = Random::new(7);
    let problem = Problem::random(&mut gpu, &mut random, TensorType::Q8_0, [151_936, 896], MAX_BINDING_BYTES);
    assert_eq!(problem.weights.shards.len(), 2);
    problem.check(&mut gpu, &normal(&mut random, 896, 1.0), 151_665);
}

/// Makes a sampler on the host count a token of an answer.
fn draw(sampler: &mut Sampler, token: u32, vocabulary: usize) {
    let mut logits = vec![0.0; vocabulary];
    logits[token as usize] = 1e30;
    assert_eq!(sampler.sample(&mut logits), token);
}

#[test]
fn tokens_that_occurred_are_held_back_as_on_the_host() {
    const ROWS: usize = 101;
    const CHOICES: usize = 99;
    let prompt = [0, 5, 31, 32, 33, 98, 100];
    let answer = [5, 5, 5, 70, 98, 98, 1];
    let mut gpu = Gpu::open();
    let mut random = Random::new(5);
    // Penalties are imported text, the same for every format and every shard.
    let max_binding_bytes = Tensor::bytes(TensorType::Q8_0, 2 * LOGIT_BLOCK, 96);
    let problem = Problem::random(&mut gpu, &mut random, TensorType::Q8_0, [ROWS, 96], max_binding_bytes);
    let residual = normal(&mut random, 96, 1.0);
    let plain = problem.check(&mut gpu, &residual, CHOICES);
    for (repetition_penalty, presence_penalty, frequency_penalty) in
        [(1.0, 0.0, 0.0), (1.3, 0.0, 0.0), (0.5, 0.0, 0.0), (1.0, 1.5, 0.0), (1.0, 0.0, 0.7), (1.1, -3.0, 7.0)]
    {
        let sampling = Sampling { repetition_penalty, presence_penalty, frequency_penalty, ..Sampling::greedy() };
        let mut occurrences = occurrences(&prompt, ROWS);
        let mut sampler = Sampler::new(sampling.clone(), &prompt).expect("the settings are in range");
        for token in answer {
            draw(&mut sampler, token, ROWS);
            let occurrence = &mut occurrences[token as usize];
            *occurrence = (*occurrence | OCCURRED) + 1;
        }
        let mut expected = plain.clone();
        sampler.sample(&mut expected);

        let case = format!("{sampling:?}");
        let got = problem.run(&mut gpu, &residual, settings(&sampling, CHOICES), &occurrences);
        assert_close(&case, &got.logits, &widen(&expected), F32);
        for (token, _) in occurrences.iter().enumerate().filter(|(_, occurrence)| **occurrence == 0) {
            assert_eq!(got.logits[token], plain[token], "{case}: token {token}, which did not occur");
        }
        assert_eq!(got.block_maxima, block_maxima(&got.logits, CHOICES), "{case}: block maxima");
    }
}

#[test]
fn blocks_with_logits_that_are_not_finite_are_marked() {
    const ROWS: usize = 101;
    const CHOICES: usize = 70;
    const COLUMNS: usize = 64;
    let not_finite = [f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY];
    for mut gpu in Gpu::open_tiers() {
        let mut random = Random::new(6);
        let residual = normal(&mut random, COLUMNS, 1.0);
        let mut problem = Problem::random(&mut gpu, &mut random, TensorType::F32, [ROWS, COLUMNS], MAX_BINDING_BYTES);
        let settings = settings(&Sampling::greedy(), CHOICES);
        let finite = problem.run(&mut gpu, &residual, settings, &[0; ROWS]);
        assert_eq!(finite.block_maxima, block_maxima(&finite.logits, CHOICES));

        // A residual stream that is not finite, or whose square isn't, spoils every logit. Tokens from 70 on pad the
        // vocabulary.
        for bad in not_finite.into_iter().chain([1e30]) {
            let mut residual = residual.clone();
            residual[9] = bad;
            let got = problem.run(&mut gpu, &residual, settings, &[0; ROWS]);
            let case = format!("{}, {bad} in the residual", gpu.tier().name());
            assert_eq!(got.block_maxima, [INFINITY, INFINITY, INFINITY, MASKED.to_bits()], "{case}");
        }
        // A weight that is not spoils its own row.
        let good_bytes = problem.matrix.bytes.clone();
        for (row, marked) in [(0, Some(0)), (31, Some(0)), (32, Some(1)), (69, Some(2)), (70, None), (100, None)] {
            for bad in not_finite {
                let offset = (row * COLUMNS + 13) * size_of::<f32>();
                problem.matrix.bytes[offset..offset + 4].copy_from_slice(&bad.to_le_bytes());
                problem.weights = problem.matrix.upload(&mut gpu.recorder, MAX_BINDING_BYTES, PIECE_PAIRS);
                problem.matrix.bytes.copy_from_slice(&good_bytes);
                let got = problem.run(&mut gpu, &residual, settings, &[0; ROWS]);
                let mut expected = finite.block_maxima.clone();
                if let Some(block) = marked {
                    expected[block] = INFINITY;
                }
                assert_eq!(got.block_maxima, expected, "{}, {bad} in row {row}", gpu.tier().name());
            }
        }
    }
}
