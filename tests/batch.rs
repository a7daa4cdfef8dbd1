//! Several conversations at once: the answers are those of separate chats, and the weights are read once for all of them.

use std::cell::{Cell, RefCell};

use pollster::block_on;
use qwisp::ErrorKind;
use qwisp::backend::gpu::GpuBackend;
use qwisp::backend::{Counters, KvCacheFormat, MAX_BATCH};
use qwisp::engine::{BatchItem, ChatOptions, Engine, FinishReason, Reply};
use qwisp::generate::{Random, Sampling, prefill};
use qwisp::load::LoadOptions;
use qwisp::model::Wanted;
use qwisp::text::{Message, Piece, Role};

use self::reference::qwen::Qwen;
use self::support::closeness::assert_close;
use self::support::gpu::open_tiers;
use self::support::loading::{load_engine, load_engine_with, load_model_with};
use self::support::tiny_model::TinyModel;

mod reference;
mod support;

/// As in `model.rs`; prompts are short enough for products in f32 on every tier.
const KV_CACHES: [(KvCacheFormat, f64); 2] = [(KvCacheFormat::F16, 1e-7), (KvCacheFormat::Q8, 1e-5)];

fn engine() -> Engine<GpuBackend> {
    load_engine(&TinyModel::default().bytes(), Some(512))
}

fn item(text: &str, max_tokens: usize, sampling: Sampling) -> BatchItem {
    let options = ChatOptions { max_tokens: Some(max_tokens), ..ChatOptions::default() };
    BatchItem { messages: vec![Message::new(Role::User, text)], options, sampling }
}

fn greedy(text: &str, max_tokens: usize) -> BatchItem {
    item(text, max_tokens, Sampling::greedy())
}

fn run(engine: &mut Engine<GpuBackend>, items: &[BatchItem]) -> Vec<qwisp::Result<Reply>> {
    block_on(engine.batch(items, |_, _| (), || false)).expect("the device computes")
}

/// The same conversation by itself.
fn alone(engine: &mut Engine<GpuBackend>, item: &BatchItem) -> qwisp::Result<Reply> {
    block_on(engine.chat(&item.messages, &item.options, &item.sampling, |_| (), || false))
}

/// Every row has its own conversation at its own position, one of them past the first split of the cache.
#[test]
fn a_pass_over_several_conversations_gives_each_the_logits_of_the_reference() {
    let tiny = TinyModel::default();
    let gguf = tiny.bytes();
    let mut random = Random::new(9);
    let mut tokens = |count: usize| (0..count).map(|_| random.next_u32() % 256).collect::<Vec<u32>>();
    let conversations: Vec<Vec<u32>> = [3, 8, 1, 5, 300, 7, 2, 4].map(|length| tokens(length + 4)).into();
    let expected = KvCacheFormat::ALL.map(|kv_cache| -> Vec<_> {
        let reference = Qwen::with_kv_cache(&tiny, kv_cache);
        conversations.iter().map(|tokens| reference.logits(tokens)).collect()
    });
    let caches = KV_CACHES.iter().zip(&expected);
    for (device, (&(kv_cache, tolerance), expected)) in
        open_tiers().flat_map(|device| caches.clone().map(move |cache| (device.clone(), cache)))
    {
        let tier = format!("{}, {kv_cache:?}", device.tier.name());
        let mut model = load_model_with(device, &gguf, kv_cache);
        let mut caches: Vec<_> = conversations
            .iter()
            .map(|tokens| {
                let mut cache = block_on(model.allocate_cache(320)).expect("there is room");
                model.exchange_cache(&mut cache);
                // Passes of 8 tokens are in f32 on every tier.
                for pass in tokens[..tokens.len() - 4].chunks(8) {
                    model.forward(pass, Wanted::All).expect("there is room");
                }
                model.exchange_cache(&mut cache);
                cache
            })
            .collect();
        assert!(model.cache().tokens().is_empty());
        // First all of them, then fewer, in the end a single one.
        for (step, rows) in [MAX_BATCH, 5, 5, 1].into_iter().enumerate() {
            let next = |tokens: &Vec<u32>| tokens.len() - 4 + step;
            let last: Vec<u32> = conversations[..rows].iter().map(|tokens| tokens[next(tokens)]).collect();
            let mut active: Vec<_> = caches[..rows].iter_mut().collect();
            model.forward_batch(&last, &mut active).expect("there is room");
            let logits = block_on(model.logits(0, rows)).expect("the device computes");
            for (row, got) in logits.chunks(logits.len() / rows).enumerate() {
                let expected = &expected[row][next(&conversations[row])];
                assert_close(&format!("{tier}, step {step}, conversation {row}"), got, expected, tolerance);
            }
        }
        for cache in caches {
            model.free_cache(cache);
        }
    }
}

/// More conversations than fit in a pass, of all kinds. Where the two likeliest tokens are as close as rounding, a pass over
/// several rows could choose the other one: that doesn't happen here.
#[test]
fn the_answers_of_a_batch_are_those_of_separate_chats() {
    for kv_cache in KvCacheFormat::ALL {
        let options = LoadOptions { context_length: Some(512), kv_cache, ..LoadOptions::default() };
        check_answers(&mut load_engine_with(&TinyModel::default().bytes(), &options));
    }
}

fn check_answers(engine: &mut Engine<GpuBackend>) {
    let sampled = Sampling { temperature: 1.3, top_k: 40, seed: 11, ..Sampling::default() };
    let mut items: Vec<BatchItem> =
        (0..7).map(|number| greedy(&format!("question {number}"), 5 + 3 * number)).collect();
    items.push(item("sampled", 12, sampled.clone()));
    items.push(item(
        "penalised",
        12,
        Sampling { repetition_penalty: 1.5, logit_bias: [(3, 4.0)].into(), ..sampled.clone() },
    ));
    let penalties =
        Sampling { repetition_penalty: 1.3, presence_penalty: 0.5, frequency_penalty: 0.4, ..sampled.clone() };
    items.push(item("all penalties, seeded", 24, Sampling { seed: 77, ..penalties.clone() }));
    items.push(item("greedy with penalties", 24, Sampling { temperature: 0.0, ..penalties }));
    items.push(item("too many to choose from", 6, Sampling { top_k: 100, ..Sampling::default() }));
    items.push(item("with log-probabilities", 6, Sampling { logprobs: true, ..Sampling::greedy() }));
    items.push(greedy(&"a long question, which goes on and on ".repeat(8), 30));
    let whole = alone(engine, &greedy("stops", 20)).expect("the engine answers").text;
    let stop = ChatOptions { stop: vec![whole[6..8].to_string()], ..ChatOptions::default() };
    items.push(BatchItem { options: stop, ..greedy("stops", 20) });

    let pieces = RefCell::new(vec![String::new(); items.len()]);
    let on_text = |index: usize, piece: &Piece| pieces.borrow_mut()[index].push_str(&piece.text);
    let replies = block_on(engine.batch(&items, on_text, || false)).expect("the device computes");
    assert_eq!(replies.len(), items.len());
    for (index, (item, reply)) in items.iter().zip(&replies).enumerate() {
        let reply = reply.as_ref().expect("the engine answers");
        let expected = alone(engine, item).expect("the engine answers");
        assert_eq!(reply.text, expected.text, "conversation {index}");
        assert_eq!(reply.text, pieces.borrow()[index], "conversation {index}");
        assert_eq!(reply.finish_reason, expected.finish_reason, "conversation {index}");
        assert_eq!(reply.usage.prompt_tokens, expected.usage.prompt_tokens, "conversation {index}");
        assert_eq!(reply.usage.completion_tokens, expected.usage.completion_tokens, "conversation {index}");
        assert_eq!(reply.logprobs.as_ref().map(Vec::len), expected.logprobs.as_ref().map(Vec::len));
    }
    assert_eq!(replies[14].as_ref().expect("it is good").finish_reason, FinishReason::Stop);
}

#[test]
fn a_conversation_that_fails_leaves_the_others_alone() {
    let mut engine = engine();
    let items = [
        greedy("good", 6),
        greedy(&"far too long ".repeat(200), 6),
        BatchItem { messages: Vec::new(), ..greedy("", 6) },
        item("out of range", 6, Sampling { temperature: -1.0, ..Sampling::default() }),
        greedy("no room", 0),
        greedy("good as well", 6),
    ];
    let kinds = |replies: &[qwisp::Result<Reply>]| -> Vec<Option<ErrorKind>> {
        replies.iter().map(|reply| reply.as_ref().err().map(qwisp::Error::kind)).collect()
    };
    let replies = run(&mut engine, &items);
    let wrong = Some(ErrorKind::InvalidArgument);
    assert_eq!(kinds(&replies), [None, Some(ErrorKind::ContextFull), wrong, wrong, wrong, None]);
    for index in [0, 5] {
        let expected = alone(&mut engine, &items[index]).expect("the engine answers");
        assert_eq!(replies[index].as_ref().expect("it is good").text, expected.text);
    }
    assert_eq!(run(&mut engine, &[]), []);
    assert_eq!(kinds(&run(&mut engine, &items[1..3])), [Some(ErrorKind::ContextFull), wrong]);
}

#[test]
fn an_abort_ends_all_answers_with_what_there_is() {
    let mut engine = engine();
    let items: Vec<BatchItem> = (0..10).map(|number| greedy(&format!("question {number}"), 30)).collect();
    let expected: Vec<Reply> = run(&mut engine, &items).into_iter().map(|reply| reply.expect("it is good")).collect();
    for pieces_before in [0, 3, 8 * 4] {
        let shown = Cell::new(0);
        let on_text = |_: usize, _: &Piece| shown.set(shown.get() + 1);
        let aborted = || shown.get() >= pieces_before;
        let replies = block_on(engine.batch(&items, on_text, aborted)).expect("an abort is no error");
        assert_eq!(shown.get(), pieces_before);
        for (reply, expected) in replies.iter().zip(&expected) {
            let reply = reply.as_ref().expect("an aborted answer is an answer");
            assert_eq!(reply.finish_reason, FinishReason::Abort);
            assert!(expected.text.starts_with(&reply.text));
        }
    }
    assert_eq!(run(&mut engine, &items)[9].as_ref().expect("it is good").text, expected[9].text);
}

#[test]
fn a_batch_leaves_the_chat_before_it_in_the_cache() {
    let mut engine = engine();
    let chat = greedy("Hello there", 6);
    let before = alone(&mut engine, &chat).expect("the engine answers");
    run(&mut engine, &[greedy("something", 6), greedy("else", 6)]);
    let after = alone(&mut engine, &chat).expect("the engine answers");
    assert_eq!((after.usage.cached_tokens, after.text), (before.usage.prompt_tokens - 1, before.text));
}

/// What a pass over several conversations costs: exact on any machine.
#[test]
fn weights_are_read_once_for_all_conversations_of_a_pass() {
    let mut engine = engine();
    let decode = |engine: &mut Engine<GpuBackend>, conversations: usize| {
        let items: Vec<BatchItem> = (0..conversations).map(|number| greedy(&format!("number {number}"), 11)).collect();
        run(engine, &items);
        engine.counters().decode
    };
    let single = decode(&mut engine, 1);
    assert_eq!((single.tokens, single.passes), (10, 10), "ten tokens after the first");
    for conversations in [2, 5, MAX_BATCH] {
        let counters = decode(&mut engine, conversations);
        let rows = conversations as u64;
        let Counters { tokens, passes, submits, bytes_read, weight_bytes_read, .. } = counters;
        assert_eq!((tokens, passes, submits), (10 * rows, 10, 10), "{conversations} conversations");
        assert_eq!(bytes_read, tokens * 16, "the device chooses: a token, and what goes with it");
        // Each token has a row of the embedding of its own; besides that, nothing is read twice.
        let embedding_bytes = (weight_bytes_read - single.weight_bytes_read) / (10 * (rows - 1));
        assert!(embedding_bytes < single.weight_bytes_read / 10 / 100, "{conversations}: {embedding_bytes} bytes more");
        assert_eq!(weight_bytes_read, single.weight_bytes_read + 10 * (rows - 1) * embedding_bytes);
    }
}

/// A conversation whose tokens the host chooses has its logits read; the others' tokens are chosen as ever.
#[test]
fn only_where_the_host_chooses_logits_are_read() {
    let mut engine = engine();
    let vocabulary = engine.model().config.dimensions.vocabulary as u64;
    let with_logprobs = item("the host's", 5, Sampling { logprobs: true, ..Sampling::greedy() });
    run(&mut engine, &[greedy("the device's", 9), with_logprobs]);
    let Counters { bytes_read, tokens, .. } = engine.counters().decode;
    // Four passes over both, then four more over one of them. Rows of logits begin at multiples of 64.
    let both = 16 + 4 * (vocabulary.next_multiple_of(64) + vocabulary);
    assert_eq!((tokens, bytes_read), (12, 4 * both + 4 * 16));
}

/// And nothing is left from one batch to the next: what it allocated is gone when it ends.
#[test]
fn a_conversation_takes_the_place_of_one_that_ended_with_what_they_have_in_common() {
    let mut engine = engine();
    let items: Vec<BatchItem> =
        (0..MAX_BATCH + 2).map(|number| greedy(&format!("the same beginning, then {number}"), 4)).collect();
    let mut cached = Vec::new();
    for _ in 0..2 {
        let replies = run(&mut engine, &items);
        cached.push(replies.iter().map(|reply| reply.as_ref().expect("it is good").usage.cached_tokens).collect());
    }
    let counts: &Vec<usize> = &cached[0];
    assert!(counts[..MAX_BATCH].iter().all(|&count| count == 0), "{counts:?}");
    assert!(counts[MAX_BATCH..].iter().all(|&count| count > 0), "{counts:?}");
    assert_eq!(cached[1], cached[0], "nothing is left from one batch to the next");
    let prompt = engine.prompt_tokens(&items[0].messages, &ChatOptions::default()).expect("the template is good");
    let kept = block_on(prefill(engine.model_mut(), &prompt, || false)).expect("there is room");
    assert_eq!(kept, 0, "the model's own cache had no part in it");
}
