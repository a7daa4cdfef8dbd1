//! `shaders/penalize_logits.wgsl`.

use qwisp::backend::gpu::operations::{LOGIT_BLOCK, OCCURRED, PenalizeLogits, SamplingSettings};
use qwisp::generate::Random;
use qwisp::sampling::Sampling;

use super::F32;
use super::head::block_maxima;
use super::reference::penalize_logits::penalized;
use super::support::closeness::assert_close;
use super::support::gpu::Gpu;
use super::support::noise::normal;

/// Values behind the outputs, which have to stay.
const BEHIND: usize = 5;
const STAYS: f32 = 7.5;

/// The logits that the kernel leaves, and the bits of their maxima.
fn run(
    gpu: &mut Gpu,
    sampling: &Sampling,
    choices: usize,
    logits: &[f32],
    occurrences: &[u32],
) -> (Vec<f32>, Vec<u32>) {
    let vocabulary = logits.len();
    let blocks = vocabulary.div_ceil(LOGIT_BLOCK);
    let padded: Vec<f32> = logits.iter().copied().chain([STAYS; BEHIND]).collect();
    let (logits, maxima) = (gpu.buffer(&padded), gpu.buffer(&vec![STAYS; blocks + BEHIND]));
    PenalizeLogits {
        settings: &gpu.uniform(SamplingSettings::new(sampling, choices).expect("the kernel can choose so")),
        occurrences: &gpu.buffer(occurrences),
        logits: &logits,
        block_maxima: &maxima,
        vocabulary,
    }
    .record(&mut gpu.recorder);
    let (mut logits, mut maxima) = (gpu.read(&logits), gpu.read_words(&maxima));
    assert_eq!(logits.split_off(vocabulary), [STAYS; BEHIND], "behind the logits");
    assert_eq!(maxima.split_off(blocks), [STAYS.to_bits(); BEHIND], "behind the maxima");
    (logits, maxima)
}

#[test]
fn logits_are_penalized_and_the_largest_of_each_block_is_found() {
    let mut gpu = Gpu::open();
    let mut random = Random::new(1);
    let sampling =
        Sampling { repetition_penalty: 1.3, presence_penalty: 0.7, frequency_penalty: -0.4, ..Sampling::default() };
    for (vocabulary, choices) in [(1, 1), (32, 31), (75, 64), (256, 256), (257, 257), (1000, 990)] {
        let logits = normal(&mut random, vocabulary, 5.0);
        // A third didn't occur, a third in the prompt, a third once to three times in the answer.
        let occurrences: Vec<u32> =
            (0..vocabulary as u32).map(|token| [0, OCCURRED, OCCURRED | (token % 7 + 1)][token as usize % 3]).collect();
        let (got, maxima) = run(&mut gpu, &sampling, choices, &logits, &occurrences);
        let expected: Vec<f64> = logits
            .iter()
            .zip(&occurrences)
            .map(|(&logit, &occurrence)| penalized(logit.into(), occurrence != 0, occurrence & !OCCURRED, &sampling))
            .collect();
        assert_close(&format!("{vocabulary} tokens"), &got, &expected, F32);
        assert_eq!(maxima, block_maxima(&got, choices), "{choices} of {vocabulary} tokens");
    }
}

#[test]
fn a_logit_that_is_not_finite_is_found_among_those_that_can_be_chosen() {
    let mut gpu = Gpu::open();
    for broken in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut logits = vec![1.0; 300];
        (logits[70], logits[299]) = (broken, broken);
        let (_, maxima) = run(&mut gpu, &Sampling::greedy(), 290, &logits, &[0; 300]);
        assert_eq!(maxima, block_maxima(&logits, 290), "{broken}");
        assert_eq!(maxima.iter().filter(|&&bits| f32::from_bits(bits).is_infinite()).count(), 1, "{broken}");
    }
}
