//! The forward pass on the GPU, against one in f64.

use candle_core::quantized::GgmlDType;
use pollster::block_on;
use qwisp::ErrorKind;
use qwisp::backend::gpu::GpuBackend;
use qwisp::backend::gpu::tensor::Tensor;
use qwisp::backend::gpu::tier::Tier;
use qwisp::backend::{Backend as _, Counters, KvCacheFormat, MAX_LOGIT_ROWS, MAX_PASS_TOKENS};
use qwisp::generate::{Generator, Random, Sampler, Sampling, prefill};
use qwisp::gguf::Header;
use qwisp::model::{Model, Wanted};

use self::reference::qwen::Qwen;
use self::support::closeness::{assert_close, widen};
use self::support::gpu::{open_device, open_tiers};
use self::support::loading::{load_model, load_model_on, load_model_with, load_parts};
use self::support::tiny_model::TinyModel;

mod reference;
mod support;

/// The squared error of logits, as part of the whole. Activations are f32, but where a key or value lies between two f16
/// numbers, an error in its last bit can round it the other way: 1e-3 of one value among thousands.
const LOGITS: f64 = 1e-7;

/// The same with a KV cache in Q8, where the wrong way is a 127th of the largest number of a group.
const LOGITS_Q8: f64 = 1e-5;

/// The same for the tier in f16. Inputs rounded to f16 make 5e-7 of it in these models, and weights are rounded, too.
const LOGITS_F16: f64 = 1e-5;

/// The same with a KV cache in Q8.
const LOGITS_F16_Q8: f64 = 1e-4;

/// The same for the tier in 8 bits. Inputs rounded to bytes in sixteens make 1e-4 of it in these models.
const LOGITS_PACKED: f64 = 1e-3;

/// The squared error of logits after a prompt on this tier; keys and values of the prompt pass it on to what follows.
fn logits_tolerance(tier: Tier) -> f64 {
    match tier {
        Tier::Core | Tier::Subgroups { .. } => LOGITS,
        Tier::F16 => LOGITS_F16,
        Tier::Packed => LOGITS_PACKED,
    }
}

/// The same with a KV cache of this format. Numbers with an error of 1e-3 are rounded the other way by Q8 one time in ten.
fn tolerance_with(tier: Tier, kv_cache: KvCacheFormat) -> f64 {
    match (kv_cache, tier) {
        (KvCacheFormat::F16, tier) => logits_tolerance(tier),
        (KvCacheFormat::Q8, Tier::Core | Tier::Subgroups { .. }) => LOGITS_Q8,
        (KvCacheFormat::Q8, Tier::F16) => LOGITS_F16_Q8,
        (KvCacheFormat::Q8, Tier::Packed) => LOGITS_PACKED,
    }
}

/// The formats of the KV cache with their tolerances of logits in f32.
const KV_CACHES: [(KvCacheFormat, f64); 2] = [(KvCacheFormat::F16, LOGITS), (KvCacheFormat::Q8, LOGITS_Q8)];

/// More than two passes.
const LONG: usize = 130;

/// Tokens that mean nothing.
fn random_tokens(count: usize) -> Vec<u32> {
    let mut random = Random::new(5);
    (0..count).map(|_| random.next_u32() % 256).collect()
}

/// The logits of the last token, computed in as few passes as possible.
fn last_logits(model: &mut Model<GpuBackend>, tokens: &[u32]) -> Vec<f32> {
    block_on(async {
        prefill(model, tokens, || false).await?;
        model.logits(0, 1).await
    })
    .expect("the device computes")
}

#[test]
fn logits_are_those_of_the_reference_whatever_the_shape() {
    let base = TinyModel::default();
    let cases = [
        ("several tensor types", base.clone()),
        ("all F32", TinyModel { tensor_type: Some(GgmlDType::F32), ..base.clone() }),
        ("all Q8_0", TinyModel { tensor_type: Some(GgmlDType::Q8_0), ..base.clone() }),
        ("all Q4_K", TinyModel { tensor_type: Some(GgmlDType::Q4K), ..base.clone() }),
        ("all Q6_K", TinyModel { tensor_type: Some(GgmlDType::Q6K), ..base.clone() }),
        ("a tied head", TinyModel { tied_head: true, ..base.clone() }),
        (
            "groups of 7, as in the 0.5B model",
            TinyModel { heads: 7, kv_heads: 1, hidden: 448, tensor_type: Some(GgmlDType::Q5_0), ..base.clone() },
        ),
        ("heads of 128 dimensions", TinyModel { heads: 2, kv_heads: 1, head_dim: 128, ..base.clone() }),
        ("one layer, one head", TinyModel::smallest()),
        ("wider heads than the residual stream", TinyModel { heads: 8, kv_heads: 4, ..base }),
        ("Qwen3", TinyModel::qwen3()),
        ("Qwen3 with the heads of the real ones", TinyModel { heads: 16, kv_heads: 8, ..TinyModel::qwen3() }),
        ("Qwen3 with heads of 64 dimensions", TinyModel { head_dim: 64, ..TinyModel::qwen3() }),
        ("Qwen3 with a head of its own", TinyModel { tied_head: false, ..TinyModel::qwen3() }),
        ("Qwen3 in F16", TinyModel { tensor_type: Some(GgmlDType::F16), ..TinyModel::qwen3() }),
    ];
    let tokens = random_tokens(40);
    for (name, tiny) in cases {
        let mut model = load_model(&tiny.bytes());
        let expected = Qwen::new(&tiny).logits(&tokens);
        model.forward(&tokens, Wanted::All).expect("there is room");
        for (index, expected) in expected.chunks(MAX_LOGIT_ROWS).enumerate() {
            let got = block_on(model.logits(index * MAX_LOGIT_ROWS, expected.len())).expect("the device computes");
            assert_close(&format!("{name}, logits {index}"), &got, &expected.concat(), LOGITS);
        }
    }
}

#[test]
fn logits_are_those_of_the_reference_on_every_tier() {
    let base = TinyModel::default();
    let cases = [
        ("several tensor types", base.clone()),
        (
            "a width of 448",
            TinyModel { heads: 7, kv_heads: 1, hidden: 448, tensor_type: Some(GgmlDType::Q5_0), ..base },
        ),
        ("Qwen3", TinyModel::qwen3()),
    ];
    let tokens = random_tokens(40);
    for (name, tiny) in cases {
        let gguf = tiny.bytes();
        let expected = KvCacheFormat::ALL.map(|kv_cache| Qwen::with_kv_cache(&tiny, kv_cache).logits(&tokens));
        let caches = KvCacheFormat::ALL.into_iter().zip(&expected);
        for (device, (kv_cache, expected)) in
            open_tiers().flat_map(|device| caches.clone().map(move |cache| (device.clone(), cache)))
        {
            let case = format!("{name}, {}, {kv_cache:?}", device.tier.name());
            let tolerance = tolerance_with(device.tier, kv_cache);
            // A prompt in one pass, then token by token.
            let mut model = load_model_with(device, &gguf, kv_cache);
            let (prompt, answer) = tokens.split_at(35);
            assert_close(&case, &last_logits(&mut model, prompt), &expected[prompt.len() - 1], tolerance);
            for (token, expected) in answer.iter().zip(&expected[prompt.len()..]) {
                model.forward(&[*token], Wanted::All).expect("there is room");
                let got = block_on(model.logits(0, 1)).expect("the device computes");
                assert_close(&format!("{case}, an answer"), &got, expected, tolerance);
            }
        }
    }
}

#[test]
fn passes_of_many_tokens_and_of_one_give_the_same() {
    let tiny = TinyModel::default();
    let tokens = random_tokens(LONG);
    let expected = Qwen::new(&tiny).logits(&tokens);

    let mut by_passes = load_model(&tiny.bytes());
    let last = last_logits(&mut by_passes, &tokens);
    assert_close("in passes", &last, &expected[LONG - 1], LOGITS);

    let mut one_by_one = load_model(&tiny.bytes());
    for (position, token) in tokens.iter().enumerate() {
        one_by_one.forward(&[*token], Wanted::All).expect("there is room");
        let got = block_on(one_by_one.logits(0, 1)).expect("the device computes");
        assert_close(&format!("one by one, token {position}"), &got, &expected[position], LOGITS);
    }
}

/// Beyond 256 positions, the cache of a single token is split.
#[test]
fn a_long_context_of_qwen3_gives_the_same() {
    let tiny =
        TinyModel { layers: 1, hidden: 64, feed_forward: 64, tensor_type: Some(GgmlDType::F32), ..TinyModel::qwen3() };
    let tokens = random_tokens(520);
    let gguf = TinyModel { context: 600, ..tiny.clone() }.bytes();
    for (kv_cache, tolerance) in KV_CACHES {
        let expected = Qwen::with_kv_cache(&tiny, kv_cache).logits(&tokens);
        let mut model = load_model_with(open_device(), &gguf, kv_cache);
        for prompt in [253, 510] {
            let got = last_logits(&mut model, &tokens[..prompt]);
            assert_close(&format!("{kv_cache:?}, a prompt of {prompt}"), &got, &expected[prompt - 1], tolerance);
            for position in prompt..prompt + 6 {
                model.forward(&tokens[position..position + 1], Wanted::All).expect("there is room");
                let got = block_on(model.logits(0, 1)).expect("the device computes");
                assert_close(&format!("{kv_cache:?}, token {position}"), &got, &expected[position], tolerance);
            }
        }
    }
}

/// The cache has room for 1024 positions at first.
#[test]
fn a_cache_that_grows_keeps_what_it_holds() {
    let small =
        TinyModel { layers: 2, hidden: 64, feed_forward: 64, tensor_type: Some(GgmlDType::F32), ..TinyModel::qwen3() };
    let tiny = TinyModel { context: 1200, heads: 2, kv_heads: 1, ..small };
    for (kv_cache, tolerance) in KV_CACHES {
        check_growth(&tiny, kv_cache, tolerance);
    }
}

fn check_growth(tiny: &TinyModel, kv_cache: KvCacheFormat, tolerance: f64) {
    let gguf = tiny.bytes();
    let tokens = random_tokens(1100);
    let expected = Qwen::with_kv_cache(tiny, kv_cache).logits(&tokens);
    let load = || load_model_with(open_device(), &gguf, kv_cache);
    let mut model = load();
    last_logits(&mut model, &tokens[..1020]);
    for position in 1020..1030 {
        block_on(model.reserve(position + 1)).expect("there is memory");
        model.forward(&tokens[position..position + 1], Wanted::All).expect("there is room");
        let got = block_on(model.logits(0, 1)).expect("the device computes");
        assert_close(&format!("{kv_cache:?}, token {position}"), &got, &expected[position], tolerance);
    }
    assert_close(&format!("{kv_cache:?}, a prompt"), &last_logits(&mut model, &tokens), &expected[1099], tolerance);

    // The token loop, with passes under way that still use the smaller cache.
    let (prompt, sampling) = (&tokens[..1000], Sampling::greedy());
    let mut model = load();
    let choices = model.config.dimensions.vocabulary;
    let start = Generator::start(&mut model, prompt, &sampling, choices, Some(60), || false);
    let (mut generator, _) = block_on(start).expect("there is room");
    let mut on_device = Vec::new();
    while let Some(token) = block_on(generator.next_token()).expect("the device computes") {
        on_device.push(token);
    }
    drop(generator);
    assert_eq!(on_device, tokens_by_the_host(&mut load(), prompt, &sampling, choices), "{kv_cache:?}");
}

#[test]
fn what_the_cache_holds_is_not_computed_again() {
    let tiny = TinyModel::default();
    let bytes = tiny.bytes();
    let tokens = random_tokens(LONG);
    let other_end = [&tokens[..100], &[1, 2, 3]].concat();
    let cases: [(&str, &[u32], &[u32], usize); 5] = [
        ("a longer conversation", &tokens[..70], &tokens, 70),
        ("another end", &tokens, &other_end, 100),
        ("a shorter one", &tokens, &tokens[..50], 49),
        ("the same", &tokens, &tokens, LONG - 1),
        ("nothing in common", &tokens[1..], &tokens, 0),
    ];
    for (name, first, second, expected_cached) in cases {
        let mut model = load_model(&bytes);
        last_logits(&mut model, first);
        let passes_before = model.counters().passes;
        let cached = block_on(prefill(&mut model, second, || false)).expect("there is room");
        assert_eq!(cached, expected_cached, "{name}");
        let passes = model.counters().passes - passes_before;
        assert_eq!(passes, (second.len() - cached).div_ceil(MAX_PASS_TOKENS) as u64, "{name}: passes");

        let got = last_logits(&mut model, second);
        let expected = last_logits(&mut load_model(&bytes), second);
        assert_close(name, &got, &widen(&expected), LOGITS);
    }
}

#[test]
fn a_full_cache_is_an_error_and_the_model_goes_on() {
    let tiny = TinyModel { context: 64, ..TinyModel::default() };
    let mut model = load_model(&tiny.bytes());
    let tokens = random_tokens(LONG);
    let error = block_on(prefill(&mut model, &tokens[..65], || false)).expect_err("65 tokens are too many");
    assert_eq!(error.kind(), ErrorKind::ContextFull);
    assert!(error.to_string().contains("65 tokens") && error.to_string().contains("at most 64"), "{error}");

    last_logits(&mut model, &tokens[..64]);
    let error = model.forward(&tokens[64..65], Wanted::All).expect_err("there is no room for one more");
    assert_eq!(error.kind(), ErrorKind::ContextFull);
    let got = last_logits(&mut model, &tokens[..20]);
    assert_close("afterwards", &got, &Qwen::new(&tiny).logits(&tokens[..20])[19], LOGITS);
}

#[test]
fn a_prompt_that_makes_no_sense_is_an_error() {
    let mut model = load_model(&TinyModel::default().bytes());
    for (name, tokens) in [("no tokens", &[][..]), ("a token outside the vocabulary", &[0, 1 << 20])] {
        let error = block_on(prefill(&mut model, tokens, || false)).expect_err(name);
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{name}: {error}");
    }
}

#[test]
fn a_prefill_is_aborted_between_passes() {
    let mut model = load_model(&TinyModel::default().bytes());
    let asked = std::cell::Cell::new(0);
    let third_time = || {
        asked.set(asked.get() + 1);
        asked.get() == 3
    };
    let error = block_on(prefill(&mut model, &random_tokens(LONG), third_time)).expect_err("it was aborted");
    assert_eq!(error.kind(), ErrorKind::Aborted);
    assert_eq!(model.cache().tokens().len(), MAX_PASS_TOKENS + 33, "two passes of three were computed");
}

#[test]
fn bytes_that_come_in_odd_pieces_give_the_same_weights() {
    // Tensors of this one end within a word.
    let gguf = TinyModel::smallest().bytes();
    let tokens = random_tokens(10);
    let expected = last_logits(&mut load_model(&gguf), &tokens);
    for piece_bytes in [1, 3, 7, 4097] {
        let (config, backend, weights) = load_parts(open_device(), &gguf, piece_bytes);
        let mut model = Model::new(config, backend, weights).expect("there is room for the cache");
        assert_eq!(last_logits(&mut model, &tokens), expected, "pieces of {piece_bytes} bytes");
    }
}

/// A head too large for one binding is split by rows; here into pieces of 64 and fewer.
#[test]
fn a_head_in_shards_gives_the_same_logits() {
    let gguf = TinyModel::default().bytes();
    let tokens = random_tokens(10);
    let expected = last_logits(&mut load_model(&gguf), &tokens);

    let (config, mut backend, mut weights) = load_parts(open_device(), &gguf, gguf.len());
    let header = Header::parse(&gguf, gguf.len() as u64).expect("the head is good").expect("the head is complete");
    let info = header.tensor("output.weight").expect("the model has a head of its own");
    let max_binding_bytes = 2 * Tensor::bytes(info.tensor_type, 32, info.columns);
    let head = Tensor::allocate(backend.device(), info, max_binding_bytes);
    assert_eq!(head.shards.len(), info.rows.div_ceil(64));
    backend.upload(&head, 0, &gguf[info.bytes.start as usize..info.bytes.end as usize]);
    weights.output = head;
    let mut model = Model::new(config, backend, weights).expect("there is room for the cache");
    assert_eq!(last_logits(&mut model, &tokens), expected);
}

/// What a token costs besides its arithmetic: exact on any machine.
#[test]
fn a_decoded_token_is_one_short_pass_and_needs_nothing_from_the_host() {
    check_decoded_token(&TinyModel::default());
    check_decoded_token(&TinyModel::qwen3());
}

fn check_decoded_token(tiny: &TinyModel) {
    let gguf = tiny.bytes();
    let layers = tiny.layers as u64;
    let header = Header::parse(&gguf, gguf.len() as u64).expect("the head is good").expect("the head is complete");
    let token_weight_bytes: u64 = header
        .tensors
        .iter()
        .filter(|tensor| tensor.rows > 1)
        .map(|tensor| {
            let row_bytes = tensor.tensor_type.row_bytes(tensor.columns);
            let bytes = Tensor::bytes(tensor.tensor_type, tensor.rows, tensor.columns);
            match tensor.name.as_str() {
                "token_embd.weight" if tiny.tied_head => row_bytes + bytes,
                "token_embd.weight" => row_bytes,
                _ => bytes,
            }
        })
        .sum();

    let mut model = load_model(&gguf);
    let before = model.counters();
    model.compile();
    let compiling = Counters { bind_groups_created: 0, ..model.counters() - before };
    assert_eq!(compiling, Counters::default(), "compiling runs nothing");
    let prompt = random_tokens(100);
    let choices = model.config.dimensions.vocabulary;
    let sampling = Sampling::default();
    let start = Generator::start(&mut model, &prompt, &sampling, choices, None, || false);
    let (mut generator, _) = block_on(start).expect("there is room");
    let mut read_tokens = |count: usize| {
        let before = generator.counters();
        for _ in 0..count {
            assert!(block_on(generator.next_token()).expect("the device computes").is_some());
        }
        generator.counters() - before
    };
    // At most 32 tokens are under way besides those that were read, and the 257th position starts a second split.
    read_tokens(40);
    let unsplit = read_tokens(20);
    read_tokens(100);
    let split = read_tokens(20);
    for (name, counters, reduce) in [("unsplit", unsplit, 0), ("split", split, 1)] {
        let tokens = counters.tokens;
        let expected = Counters {
            tokens,
            // Projections, attention (and what joins its splits), its output, gate and up, down; embedding, head, sampler.
            dispatches: tokens * ((5 + reduce) * layers + 3),
            passes: tokens,
            submits: tokens,
            bytes_written: 0,
            bytes_read: 16 * tokens,
            bind_groups_created: 0,
            weight_bytes_read: token_weight_bytes * tokens,
        };
        assert_eq!(counters, expected, "{}, {name}", tiny.architecture);
        assert!(tokens > 0, "{}, {name}", tiny.architecture);
    }
}

/// Of the last layer, only the last token of a prompt is computed: by the kernels of a single token.
#[test]
fn a_prompt_takes_no_more_of_the_last_layer_than_is_wanted() {
    for tiny in [TinyModel::default(), TinyModel::qwen3()] {
        let mut model = load_model(&tiny.bytes());
        let before = model.counters();
        last_logits(&mut model, &random_tokens(100));
        let dispatches = (model.counters() - before).dispatches;
        // The embedding and the layers but the last one; of that, norm, three products, and two kernels of attention.
        let pass = 1 + 12 * (tiny.layers as u64 - 1) + 6;
        // What keeps the last row, attention's output, gate and up, and down; the norm before the head, and the head.
        assert_eq!(dispatches, 2 * pass + 4 + 2, "{}", tiny.architecture);
    }
}

/// The host sampler is the plain version of the one on the device.
#[test]
fn the_device_and_the_host_choose_the_same_tokens() {
    let gguf = TinyModel::default().bytes();
    let prompt = random_tokens(30);
    let base = Sampling { temperature: 1.0, top_k: 40, top_p: 0.9, seed: 7, ..Sampling::default() };
    let cases = [
        ("greedy", Sampling::greedy()),
        ("by default", Sampling::default()),
        ("another seed", Sampling { seed: 1 << 40, ..base.clone() }),
        ("penalties", Sampling { repetition_penalty: 1.3, presence_penalty: 0.5, frequency_penalty: 0.2, ..base }),
    ];
    for device in open_tiers().filter(|device| matches!(device.tier, Tier::Core | Tier::Subgroups { .. })) {
        for (name, sampling) in &cases {
            let case = format!("{}, {name}", device.tier.name());
            let mut model = load_model_on(device.clone(), &gguf);
            let choices = model.config.dimensions.vocabulary - 3;
            let start = Generator::start(&mut model, &prompt, sampling, choices, Some(60), || false);
            let (mut generator, _) = block_on(start).expect("there is room");
            let mut on_device = Vec::new();
            while let Some(token) = block_on(generator.next_token()).expect("the device computes") {
                on_device.push(token);
            }
            drop(generator);
            assert_eq!(on_device.len(), 60, "{case}");
            // The last token was never computed, because nothing follows it.
            assert_eq!(model.cache().tokens(), [&prompt, &on_device[..59]].concat(), "{case}");

            let mut model = load_model_on(device.clone(), &gguf);
            assert_eq!(on_device, tokens_by_the_host(&mut model, &prompt, sampling, choices), "{case}");
        }
    }
}

/// As many tokens as [`the_device_and_the_host_choose_the_same_tokens`] takes, chosen from logits that are read back.
fn tokens_by_the_host(model: &mut Model<GpuBackend>, prompt: &[u32], sampling: &Sampling, choices: usize) -> Vec<u32> {
    let mut sampler = Sampler::new(sampling.clone(), prompt).expect("the settings are in range");
    let mut logits = last_logits(model, prompt);
    let mut tokens = Vec::new();
    for _ in 0..60 {
        logits.truncate(choices);
        let token = sampler.sample(&mut logits);
        tokens.push(token);
        block_on(model.reserve(prompt.len() + tokens.len())).expect("there is memory");
        model.forward(&[token], Wanted::All).expect("there is room");
        logits = block_on(model.logits(0, 1)).expect("the device computes");
    }
    tokens
}

/// Top-k 0 keeps all tokens: more than the device can sort.
#[test]
fn what_the_device_cannot_sample_the_host_does() {
    let mut model = load_model(&TinyModel::default().bytes());
    let vocabulary = model.config.dimensions.vocabulary as u64;
    let sampling = Sampling { top_k: 0, ..Sampling::default() };
    let prompt = random_tokens(10);
    let start = Generator::start(&mut model, &prompt, &sampling, 200, Some(20), || false);
    let (mut generator, _) = block_on(start).expect("there is room");
    let before = generator.counters();
    for _ in 0..20 {
        let token = block_on(generator.next_token()).expect("the device computes").expect("there is room");
        assert!(token < 200);
    }
    assert_eq!(block_on(generator.next_token()), Ok(None));
    let counters = generator.counters() - before;
    assert_eq!(counters.bytes_read, 19 * 4 * vocabulary, "a row of logits for each token after the first");
    drop(generator);
    assert_eq!(model.cache().tokens().len(), 10 + 19);
}
