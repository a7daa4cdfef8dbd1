//! `shaders/sample.wgsl`, against the sampler on the host. The logits that both get are the same, with penalties: those
//! are the head's affair, and [`penalize_is_as_on_the_host`] that of their arithmetic.

use qwisp::backend::gpu::Step;
use qwisp::backend::gpu::operations::{
    LOGIT_BLOCK, MAX_TOP_K, OCCURRED, Sample, Sampled, SamplingSettings, occurrences,
};
use qwisp::generate::{Random, Sampler};
use qwisp::sampling::Sampling;

use super::pass;
use super::support::gpu::Gpu;
use super::support::noise::normal;

/// What stands in the rows that pad a vocabulary: more than any logit.
const PADDING_LOGIT: f32 = 3e38;
/// The logit of a token that is never drawn; penalties may still double it.
const MASKED: f32 = -1e38;

/// The buffers of an answer on the GPU.
struct Answer {
    settings: wgpu::Buffer,
    occurrences: wgpu::Buffer,
    step: wgpu::Buffer,
    tokens: wgpu::Buffer,
    sampled: wgpu::Buffer,
    vocabulary: usize,
    choices: usize,
}

impl Answer {
    /// An answer to `prompt`, whose last pass was `step`.
    fn start(gpu: &Gpu, sampling: &Sampling, prompt: &[u32], [vocabulary, choices]: [usize; 2], step: Step) -> Self {
        Self {
            settings: gpu.uniform(SamplingSettings::new(sampling, choices).expect("the kernel can choose so")),
            occurrences: gpu.buffer(&occurrences(prompt, vocabulary)),
            step: gpu.buffer(&[step]),
            tokens: gpu.buffer(&[u32::MAX; 4]),
            sampled: gpu.buffer(&[Sampled::default()]),
            vocabulary,
            choices,
        }
    }

    /// Records `draws` choices from the same logits, `[choices]`.
    fn record(&self, gpu: &mut Gpu, logits: &[f32], draws: usize) {
        let mut padded = logits.to_vec();
        padded.resize(self.vocabulary, PADDING_LOGIT);
        let logit_buffer = gpu.buffer(&padded);
        let maxima = gpu.buffer(&block_maxima(logits, self.vocabulary));
        for _ in 0..draws {
            Sample {
                settings: &self.settings,
                logits: &logit_buffer,
                block_maxima: &maxima,
                occurrences: &self.occurrences,
                step: &self.step,
                tokens: &self.tokens,
                sampled: &self.sampled,
            }
            .record(&mut gpu.recorder);
        }
    }

    /// Chooses one token from the logits.
    fn choose(&self, gpu: &mut Gpu, logits: &[f32]) -> Sampled {
        assert_eq!(logits.len(), self.choices);
        self.record(gpu, logits, 1);
        let [token, is_finite, draws, padding] = gpu.read_words(&self.sampled)[..] else { panic!("four words") };
        Sampled { token, is_finite, draws, padding }
    }
}

/// What the head leaves for the sampler. Blocks of padding alone have a maximum, too.
fn block_maxima(logits: &[f32], vocabulary: usize) -> Vec<f32> {
    let maximum = |block: &[f32]| match block.iter().all(|logit| logit.is_finite()) {
        true => block.iter().copied().fold(f32::MIN, f32::max),
        false => f32::INFINITY,
    };
    let mut maxima: Vec<f32> = logits.chunks(LOGIT_BLOCK).map(maximum).collect();
    maxima.resize(vocabulary.div_ceil(LOGIT_BLOCK), f32::MIN);
    maxima
}

/// One of these.
fn pick<T: Copy>(random: &mut Random, choices: &[T]) -> T {
    choices[random.next_u32() as usize % choices.len()]
}

/// Settings of every kind.
fn random_sampling(random: &mut Random) -> Sampling {
    Sampling {
        temperature: pick(random, &[0.0, 1e-40, 1e-6, 0.3, 0.7, 1.0, 1.5, 100.0]),
        top_k: pick(random, &[1, 2, 5, 20, 40, 63, 64]),
        top_p: pick(random, &[1.0, 1.0, 0.95, 0.8, 0.5, 1e-6]),
        min_p: pick(random, &[0.0, 0.0, 0.05, 0.5, 1.0]),
        repetition_penalty: pick(random, &[1.0, 1.1, 2.0, 0.5]),
        presence_penalty: pick(random, &[0.0, 1.5, -1.0]),
        frequency_penalty: pick(random, &[0.0, 0.3, -0.1]),
        seed: (u64::from(random.next_u32()) << 32) | u64::from(random.next_u32()),
        ..Sampling::default()
    }
}

/// Logits of every kind, most of them with ties.
fn random_logits(random: &mut Random, kind: usize, count: usize) -> Vec<f32> {
    let logits = normal(random, count, 3.0);
    let change = |(index, logit): (usize, f32)| match kind % 8 {
        0 => logit,
        1 => logit.round(),                            // many ties, and both zeros
        2 => 1.25,                                     // ties alone
        3 => logit * 1e30,                             // far apart
        4 if index % 7 != 3 => MASKED,                 // few that can be chosen
        5 => (10.0 * logit).clamp(-1.0, 1.0),          // ties at the top and at the bottom
        6 => -10.0 - logit.abs(),                      // negative ones alone
        7 => 20.0 - index as f32 / 8.0 + logit * 1e-3, // the first ones by far
        _ => logit,
    };
    logits.into_iter().enumerate().map(change).collect()
}

#[test]
fn the_same_tokens_as_on_the_host() {
    const ANSWERS: usize = 480;
    const TOKENS: usize = 4;
    let sizes = [[1, 1], [3, 2], [32, 32], [64, 31], [100, 64], [300, 33], [1000, 999], [5000, 4990]];
    let mut gpu = Gpu::open();
    let mut random = Random::new(1);
    let mut different = Vec::new();
    for index in 0..ANSWERS {
        // Every kind of logits with every size; a few times a real vocabulary.
        let [vocabulary, choices] = if index % 60 == 59 { [151_936, 151_665] } else { sizes[index / 8 % sizes.len()] };
        let sampling = random_sampling(&mut random);
        let prompt: Vec<u32> = (0..20).map(|_| random.next_u32() % choices as u32).collect();
        let mut sampler = Sampler::new(sampling.clone(), &prompt).expect("the settings are in range");
        let step = pass(1 + index % 64, index);
        let answer = Answer::start(&gpu, &sampling, &prompt, [vocabulary, choices], step);
        let mut expected_occurrences = occurrences(&prompt, vocabulary);
        for position in 0..TOKENS {
            let mut logits = random_logits(&mut random, index, choices);
            let expected = sampler.sample(&mut logits); // which leaves the penalties in the logits
            let got = answer.choose(&mut gpu, &logits);
            let draws = if sampling.temperature > 0.0 { position as u32 + 1 } else { 0 };
            let case = format!("answer {index}, token {position}, {choices} choices, {sampling:?}");
            assert!(got.token < choices as u32, "{case}: {got:?}");
            assert_eq!((got.is_finite, got.draws, got.padding), (1, draws, 0), "{case}");
            if got.token != expected {
                different.push(format!("{case}: {} instead of {expected}", got.token));
            }
            let occurrence = &mut expected_occurrences[got.token as usize];
            *occurrence = (*occurrence | OCCURRED) + 1;
            assert_eq!(gpu.read_words(&answer.tokens), [got.token, u32::MAX, u32::MAX, u32::MAX], "{case}");
        }
        assert_eq!(gpu.read_words(&answer.occurrences), expected_occurrences, "answer {index}");
        let next_position = step.position + step.rows + TOKENS as u32 - 1;
        assert_eq!(gpu.read_words(&answer.step), [1, 0, next_position, 0], "answer {index}");
    }
    // A device's exp may be off by some units in the last place: that moves the border between two tokens by 1e-6 of
    // the whole, or a cut at a probability that is exactly top-p. One in a thousand is already more than that explains.
    let allowed = ANSWERS * TOKENS / 1000;
    assert!(different.len() <= allowed, "{} differ, {allowed} may:\n{}", different.len(), different.join("\n"));
}

#[test]
fn draws_follow_the_softmax_of_the_filtered_logits() {
    const DRAWS: usize = 4000;
    let plain = Sampling { temperature: 1.0, top_k: MAX_TOP_K, top_p: 1.0, seed: 3, ..Sampling::default() };
    let cases: [(&str, Sampling, [f64; 4]); 7] = [
        ("plain", plain.clone(), [0.4, 0.3, 0.2, 0.1]),
        ("temperature 0", Sampling { temperature: 0.0, top_k: 0, ..plain.clone() }, [1.0, 0.0, 0.0, 0.0]),
        ("almost temperature 0", Sampling { temperature: 1e-40, ..plain.clone() }, [1.0, 0.0, 0.0, 0.0]),
        ("temperature 0.5", Sampling { temperature: 0.5, ..plain.clone() }, [0.533, 0.3, 0.133, 0.033]),
        ("top-k 2", Sampling { top_k: 2, ..plain.clone() }, [0.571, 0.429, 0.0, 0.0]),
        ("top-p 0.6", Sampling { top_p: 0.6, ..plain.clone() }, [0.571, 0.429, 0.0, 0.0]),
        ("min-p 0.6", Sampling { min_p: 0.6, ..plain.clone() }, [0.571, 0.429, 0.0, 0.0]),
    ];
    // Four tokens of a vocabulary in different blocks, out of order.
    let tokens = [70, 5, 99, 33];
    let mut logits = vec![MASKED; 100];
    for (token, probability) in tokens.into_iter().zip([0.4f32, 0.3, 0.2, 0.1]) {
        logits[token] = probability.ln();
    }
    let mut gpu = Gpu::open();
    for (name, sampling, expected) in cases {
        let answer = Answer::start(&gpu, &sampling, &[], [128, 100], pass(1, 0));
        answer.record(&mut gpu, &logits, DRAWS);
        let counts: Vec<u32> = gpu.read_words(&answer.occurrences).iter().map(|word| word & !OCCURRED).collect();
        assert_eq!(counts.iter().sum::<u32>(), DRAWS as u32, "{name}");
        // The standard deviation of a share is at most 0.008.
        for (token, expected) in tokens.into_iter().zip(expected) {
            let share = f64::from(counts[token]) / DRAWS as f64;
            assert!((share - expected).abs() < 0.03, "{name}: token {token} has {share}, not {expected}");
        }
        assert_eq!(gpu.read_words(&answer.step), [1, 0, DRAWS as u32, 0], "{name}");
    }
}

#[test]
fn of_equal_tokens_the_first_are_kept() {
    let mut gpu = Gpu::open();
    // A device that draws evenly among 64 tokens leaves one out in 1000 draws once in 100 000 times.
    for (choices, top_k) in [(151_936, 64), (151_936, 20), (40, 64), (33, 1)] {
        let sampling = Sampling { temperature: 1.0, top_k, top_p: 1.0, ..Sampling::default() };
        let answer = Answer::start(&gpu, &sampling, &[], [151_936, choices], pass(1, 0));
        answer.record(&mut gpu, &vec![-7.5; choices], 1000);
        let occurred = gpu.read_words(&answer.occurrences);
        let kept = top_k.min(choices);
        for (token, &word) in occurred.iter().enumerate() {
            assert_eq!(word != 0, token < kept, "token {token} of {choices}, top-k {top_k}");
        }
    }
}

#[test]
fn logits_that_are_not_finite_are_reported() {
    let mut gpu = Gpu::open();
    for sampling in [Sampling::default(), Sampling::greedy()] {
        for bad in [f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            for token in [0, 777, 998] {
                let mut logits = normal(&mut Random::new(1), 999, 3.0);
                logits[token] = bad;
                let answer = Answer::start(&gpu, &sampling, &[], [1000, 999], pass(1, 0));
                let got = answer.choose(&mut gpu, &logits);
                assert_eq!(got.is_finite, 0, "{bad} at {token}");
                logits[token] = 0.0;
                assert_eq!(answer.choose(&mut gpu, &logits).is_finite, 1, "{token} is good again");
            }
        }
    }
}

#[test]
fn settings_that_need_the_host_are_refused() {
    let with = |temperature, top_k| SamplingSettings::new(&Sampling { temperature, top_k, ..Sampling::default() }, 9);
    assert!(with(0.7, 0).is_none() && with(0.7, MAX_TOP_K + 1).is_none());
    assert!(with(0.7, 1).is_some() && with(0.7, MAX_TOP_K).is_some());
    assert!(with(0.0, 0).is_some() && with(0.0, 1000).is_some(), "the most likely token needs no more than itself");
}

/// The settings, counters, logits and occurrences that a test kernel gets, and the words and logits that it makes.
fn run_parts(
    gpu: &mut Gpu,
    sampling: &Sampling,
    counters: &[u32],
    logits: &[f32],
    occurrences: &[u32],
) -> (Vec<u32>, Vec<f32>) {
    let source = [
        include_str!("../../shaders/shared/sampling_settings.wgsl"),
        include_str!("../../shaders/shared/penalize.wgsl"),
        include_str!("../../shaders/shared/random.wgsl"),
        include_str!("sample_parts.wgsl"),
    ]
    .concat()
    .replace("#import sampling_settings\n", "");
    let device = &gpu.device().device;
    let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
        label: None,
        source: wgpu::ShaderSource::Wgsl(source.into()),
    });
    let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: None,
        layout: None,
        module: &module,
        entry_point: Some("main"),
        compilation_options: Default::default(),
        cache: None,
    });
    let buffers = [
        gpu.uniform(SamplingSettings::new(sampling, 1).expect("the kernel can choose so")),
        gpu.buffer(counters),
        gpu.buffer(logits),
        gpu.buffer(occurrences),
        gpu.buffer(counters),
        gpu.buffer(logits),
    ];
    let entries: Vec<_> = (0..)
        .zip(&buffers)
        .map(|(binding, buffer)| wgpu::BindGroupEntry { binding, resource: buffer.as_entire_binding() })
        .collect();
    let bind_group = device.create_bind_group(&wgpu::BindGroupDescriptor {
        label: None,
        layout: &pipeline.get_bind_group_layout(0),
        entries: &entries,
    });
    let mut encoder = device.create_command_encoder(&Default::default());
    let mut compute = encoder.begin_compute_pass(&Default::default());
    compute.set_pipeline(&pipeline);
    compute.set_bind_group(0, &bind_group, &[]);
    compute.dispatch_workgroups(counters.len() as u32, 1, 1);
    drop(compute);
    gpu.device().queue.submit([encoder.finish()]);
    (gpu.read_words(&buffers[4]), gpu.read(&buffers[5]))
}

#[test]
fn random_words_are_those_of_the_host() {
    const COUNT: usize = 1000;
    let counters: Vec<u32> = (0..COUNT as u32).collect();
    let mut gpu = Gpu::open();
    for seed in [0, 1, 0x0123_4567_89ab_cdef, 1 << 32, u64::MAX] {
        let sampling = Sampling { seed, ..Sampling::default() };
        let (words, _) = run_parts(&mut gpu, &sampling, &counters, &[0.0; COUNT], &[0; COUNT]);
        let mut random = Random::new(seed);
        let expected: Vec<u32> = counters.iter().map(|_| random.next_u32()).collect();
        assert_eq!(words, expected, "seed {seed}");
    }
}

#[test]
fn penalize_is_as_on_the_host() {
    let mut gpu = Gpu::open();
    for (repetition_penalty, presence_penalty, frequency_penalty) in
        [(1.0, 0.0, 0.0), (1.3, 0.0, 0.0), (0.01, 0.0, 0.0), (1.0, 1.5, 0.0), (1.0, 0.0, 0.2), (100.0, -3.0, 7.0)]
    {
        let sampling = Sampling { repetition_penalty, presence_penalty, frequency_penalty, ..Sampling::greedy() };
        let mut logits = Vec::new();
        let mut occurrences = Vec::new();
        let mut expected = Vec::new();
        for logit in [-20.0, -0.3, 0.0, 1e-3, 5.0, 31.7] {
            for occurrence in [0, OCCURRED, OCCURRED + 1, OCCURRED + 3] {
                logits.push(logit);
                occurrences.push(occurrence);
                // The only token of a vocabulary, drawn as often as it occurred; then the logit in question.
                let prompt: &[u32] = if occurrence == 0 { &[] } else { &[0] };
                let mut sampler = Sampler::new(sampling.clone(), prompt).expect("the settings are in range");
                for _ in 0..occurrence & !OCCURRED {
                    sampler.sample(&mut [0.0]);
                }
                let mut penalized = [logit];
                sampler.sample(&mut penalized);
                expected.push(penalized[0]);
            }
        }
        let (_, got) = run_parts(&mut gpu, &sampling, &vec![0; logits.len()], &logits, &occurrences);
        for (index, (got, expected)) in got.iter().zip(&expected).enumerate() {
            let (logit, occurrence) = (logits[index], occurrences[index]);
            // A device may divide with an error of 2.5 units in the last place.
            assert!(
                (got - expected).abs() <= 1e-6 * expected.abs().max(1.0),
                "{logit}, {occurrence:#x}, {sampling:?}: got {got}, expected {expected}"
            );
        }
    }
}
