//! Forward passes.

use pollster::block_on;
use qwisp::ErrorKind;
use qwisp::backend::cpu::CpuBackend;
use qwisp::backend::{Counters, KvCacheFormat, MAX_LOGIT_ROWS};
use qwisp::generate::{Generator, Random, Sampling, prefill};
use qwisp::gguf::TensorType;
use qwisp::model::{Model, Wanted};

use super::loading::{load_model, load_model_with};
use crate::reference::qwen::Qwen;
use crate::support::closeness::{assert_close, widen};
use crate::support::gpu::open_device;
use crate::support::loading::load_model_with as load_model_on_gpu;
use crate::support::tiny_model::TinyModel;

/// The squared error of logits, as part of the whole. Activations are quantised to 14 bits for each product.
const LOGITS: f64 = 1e-5;

/// The same with a KV cache in Q8. Of numbers with an error of 1e-3 one in ten is rounded the other way, which is a 127th of
/// the largest number of a group.
const LOGITS_Q8: f64 = 1e-4;

/// The formats of the KV cache with their tolerances.
const KV_CACHES: [(KvCacheFormat, f64); 2] = [(KvCacheFormat::F16, LOGITS), (KvCacheFormat::Q8, LOGITS_Q8)];

/// More than two passes.
const LONG: usize = 130;

/// Tokens that mean nothing.
fn random_tokens(count: usize) -> Vec<u32> {
    let mut random = Random::new(5);
    (0..count).map(|_| random.next_u32() % 256).collect()
}

/// The logits of the last token, computed in as few passes as possible.
fn last_logits(model: &mut Model<CpuBackend>, tokens: &[u32]) -> Vec<f32> {
    block_on(async {
        prefill(model, tokens, || false).await?;
        model.logits(0, 1).await
    })
    .expect("the numbers are finite")
}

/// A model all of one type, wide enough for its blocks.
fn of_type(tensor_type: TensorType) -> TinyModel {
    TinyModel { tensor_type: Some(tensor_type.to_ggml()), ..TinyModel::default() }
}

#[test]
fn logits_are_those_of_the_reference_whatever_the_shape_and_the_type() {
    let base = TinyModel::default();
    let shapes = [
        ("several tensor types", base.clone()),
        ("a tied head", TinyModel { tied_head: true, ..base.clone() }),
        (
            "groups of 7, as in the 0.5B model",
            TinyModel {
                heads: 7,
                kv_heads: 1,
                hidden: 448,
                tensor_type: Some(TensorType::Q5_0.to_ggml()),
                ..base.clone()
            },
        ),
        ("heads of 128 dimensions", TinyModel { heads: 2, kv_heads: 1, head_dim: 128, ..base.clone() }),
        ("one layer, one head", TinyModel::smallest()),
        ("a Qwen3, with norms of queries and keys", TinyModel::qwen3()),
        ("wider heads than the residual stream", TinyModel { heads: 8, kv_heads: 4, ..base }),
    ];
    let types = TensorType::ALL.map(|tensor_type| (tensor_type.name(), of_type(tensor_type)));
    let tied =
        TensorType::ALL.map(|tensor_type| (tensor_type.name(), TinyModel { tied_head: true, ..of_type(tensor_type) }));
    let tokens = random_tokens(40);
    for (name, tiny) in shapes.into_iter().chain(types).chain(tied) {
        let gguf = tiny.bytes();
        let mut model = load_model(&gguf, gguf.len());
        let expected = Qwen::new(&tiny).logits(&tokens);
        let (prompt, answer) = tokens.split_at(35);
        // A prompt in one pass, then token by token.
        model.forward(prompt, Wanted::All).expect("there is room");
        for (index, expected) in expected[..prompt.len()].chunks(MAX_LOGIT_ROWS).enumerate() {
            let got = block_on(model.logits(index * MAX_LOGIT_ROWS, expected.len())).expect("they are finite");
            assert_close(&format!("{name}, logits {index}"), &got, &expected.concat(), LOGITS);
        }
        for (token, expected) in answer.iter().zip(&expected[prompt.len()..]) {
            model.forward(&[*token], Wanted::All).expect("there is room");
            let got = block_on(model.logits(0, 1)).expect("they are finite");
            assert_close(&format!("{name}, an answer"), &got, expected, LOGITS);
        }
    }
}

#[test]
fn passes_of_many_tokens_and_of_one_give_the_same() {
    let tiny = TinyModel::default();
    let gguf = tiny.bytes();
    let tokens = random_tokens(LONG);
    let expected = Qwen::new(&tiny).logits(&tokens);
    let last = last_logits(&mut load_model(&gguf, gguf.len()), &tokens);
    assert_close("in passes", &last, &expected[LONG - 1], LOGITS);

    let mut one_by_one = load_model(&gguf, gguf.len());
    for (position, token) in tokens.iter().enumerate() {
        one_by_one.forward(&[*token], Wanted::All).expect("there is room");
        let got = block_on(one_by_one.logits(0, 1)).expect("they are finite");
        assert_close(&format!("one by one, token {position}"), &got, &expected[position], LOGITS);
    }
}

#[test]
fn a_cache_that_grows_keeps_what_it_holds() {
    let tiny = TinyModel { layers: 1, context: 2048, ..TinyModel::qwen3() };
    let gguf = tiny.bytes();
    // More than what a cache begins with.
    let tokens = random_tokens(1030);
    for (kv_cache, tolerance) in KV_CACHES {
        let mut model = load_model_with(&gguf, gguf.len(), kv_cache);
        last_logits(&mut model, &tokens[..1020]);
        let grown = last_logits(&mut model, &tokens);
        let expected = Qwen::with_kv_cache(&tiny, kv_cache).logits(&tokens);
        let expected = expected.last().expect("there are tokens");
        assert_close(&format!("a grown cache, {kv_cache:?}"), &grown, expected, tolerance);
    }
}

#[test]
fn conversations_of_a_batch_attend_to_their_own_past() {
    let tiny = TinyModel::qwen3();
    let gguf = tiny.bytes();
    for (kv_cache, tolerance) in KV_CACHES {
        let mut model = load_model_with(&gguf, gguf.len(), kv_cache);
        check_batch(&mut model, &Qwen::with_kv_cache(&tiny, kv_cache), tolerance);
    }
}

fn check_batch(model: &mut Model<CpuBackend>, reference: &Qwen, tolerance: f64) {
    let conversations = [3, 40, 1].map(random_tokens);
    let mut caches = conversations.each_ref().map(|tokens| {
        let mut cache = block_on(model.allocate_cache(64)).expect("there is room");
        model.exchange_cache(&mut cache);
        if let [past @ .., _] = &tokens[..]
            && !past.is_empty()
        {
            model.forward(past, Wanted::All).expect("there is room");
        }
        model.exchange_cache(&mut cache);
        cache
    });
    let last = conversations.each_ref().map(|tokens| *tokens.last().expect("there are tokens"));
    model.forward_batch(&last, &mut caches.iter_mut().collect::<Vec<_>>()).expect("there is room");
    let got = block_on(model.logits(0, last.len())).expect("they are finite");
    for (tokens, got) in conversations.iter().zip(got.chunks(got.len() / last.len())) {
        let expected = reference.logits(tokens);
        let case = format!("{} tokens", tokens.len());
        assert_close(&case, got, expected.last().expect("there are tokens"), tolerance);
    }
}

#[test]
fn bytes_that_come_in_odd_pieces_give_the_same_weights() {
    let gguf = TinyModel::smallest().bytes();
    let tokens = random_tokens(10);
    let expected = last_logits(&mut load_model(&gguf, gguf.len()), &tokens);
    for piece_bytes in [1, 3, 7, 4097] {
        let got = last_logits(&mut load_model(&gguf, piece_bytes), &tokens);
        assert_eq!(got, expected, "pieces of {piece_bytes} bytes");
    }
}

#[test]
fn the_cpu_and_the_gpu_compute_the_same() {
    let gguf = TinyModel::default().bytes();
    let tokens = random_tokens(50);
    for (kv_cache, tolerance) in KV_CACHES {
        let got = last_logits(&mut load_model_with(&gguf, gguf.len(), kv_cache), &tokens);
        let mut on_gpu = load_model_on_gpu(open_device(), &gguf, kv_cache);
        let expected = block_on(async {
            prefill(&mut on_gpu, &tokens, || false).await?;
            on_gpu.logits(0, 1).await
        })
        .expect("the device computes");
        assert_close(&format!("the CPU, {kv_cache:?}"), &got, &widen(&expected), tolerance);
    }
}

#[test]
fn compiling_computes_nothing_and_an_answer_counts_its_tokens() {
    let gguf = TinyModel::default().bytes();
    let mut model = load_model(&gguf, gguf.len());
    model.compile();
    assert_eq!(model.counters(), Counters::default());

    let (prompt, choices) = (random_tokens(LONG), model.config.dimensions.vocabulary);
    let greedy = Sampling::greedy();
    let start = Generator::start(&mut model, &prompt, &greedy, choices, Some(8), || false);
    let (mut generator, _) = block_on(start).expect("there is room");
    let mut tokens = Vec::new();
    while let Some(token) = block_on(generator.next_token()).expect("the numbers are finite") {
        tokens.push(token);
    }
    assert_eq!(tokens.len(), 8);
    // The last token was never computed, because nothing follows it; the prompt takes three passes.
    let Counters { tokens, passes, .. } = generator.counters();
    assert_eq!((tokens, passes), (LONG as u64 + 7, 3 + 7));
}

#[test]
fn a_number_that_is_none_is_an_error_and_not_an_answer() {
    let tiny = TinyModel::default();
    let mut gguf = tiny.bytes();
    let header = qwisp::gguf::Header::parse(&gguf, gguf.len() as u64).expect("good").expect("complete");
    for name in ["blk.0.attn_norm.weight", "blk.1.attn_v.bias", "blk.1.ffn_norm.weight", "output_norm.weight"] {
        let info = header.tensor(name).expect("the model has it");
        let at = info.bytes.start as usize..info.bytes.start as usize + 4;
        let before: [u8; 4] = gguf[at.clone()].try_into().expect("there are four");
        gguf[at.clone()].copy_from_slice(&f32::NAN.to_le_bytes());
        for tokens in [1, 20] {
            let mut model = load_model(&gguf, gguf.len());
            model.forward(&random_tokens(tokens), Wanted::All).expect("there is room");
            let error = block_on(model.logits(tokens - 1, 1)).map(drop).expect_err(name);
            assert_eq!(error.kind(), ErrorKind::DeviceLost, "{name}, {tokens} tokens: {error}");
        }
        gguf[at].copy_from_slice(&before);
    }
}
