//! What a caller can ask of an answer besides how random it is: biased and banned tokens, a least length,
//! log-probabilities, and a conversation that may be longer than the context.

use std::collections::BTreeMap;

use candle_core::quantized::gguf_file::Value;
use pollster::block_on;
use qwisp::ErrorKind;
use qwisp::backend::gpu::GpuBackend;
use qwisp::engine::{ChatOptions, ContextPolicy, Engine, FinishReason, MAX_TOP_LOGPROBS, Reply};
use qwisp::generate::Sampling;
use qwisp::text::{Message, Role};

use self::support::asking::{at_most, engine, question};
use self::support::loading::load_engine;
use self::support::tiny_model::TinyModel;

mod support;

fn biased(bias: impl Into<BTreeMap<u32, f32>>) -> Sampling {
    Sampling { logit_bias: bias.into(), ..Sampling::greedy() }
}

fn try_answer(
    engine: &mut Engine<GpuBackend>,
    messages: &[Message],
    options: &ChatOptions,
    sampling: &Sampling,
) -> qwisp::Result<Reply> {
    block_on(engine.chat(messages, options, sampling, |_| (), || false))
}

fn answer(engine: &mut Engine<GpuBackend>, messages: &[Message], options: &ChatOptions, sampling: &Sampling) -> Reply {
    try_answer(engine, messages, options, sampling).expect("the engine answers")
}

/// The tokens of an answer.
fn tokens(reply: &Reply) -> Vec<u32> {
    reply.logprobs.as_ref().expect("they were asked for").iter().map(|entry| entry.token.id).collect()
}

#[test]
fn a_bias_favours_a_token_and_minus_100_bans_one() {
    let mut engine = engine();
    let with_tokens = |sampling: Sampling| Sampling { logprobs: true, ..sampling };
    let plain = answer(&mut engine, &question("Hello there"), &at_most(8), &with_tokens(Sampling::greedy()));
    let first = tokens(&plain)[0];

    let banned = answer(&mut engine, &question("Hello there"), &at_most(8), &with_tokens(biased([(first, -100.0)])));
    assert!(!tokens(&banned).contains(&first));
    assert_ne!(tokens(&banned)[0], first);

    let favoured = u32::from(b'q' - b'!');
    let only = answer(&mut engine, &question("Hello there"), &at_most(8), &with_tokens(biased([(favoured, 100.0)])));
    assert_eq!((only.text.as_str(), tokens(&only)), ("qqqqqqqq", vec![favoured; 8]));

    let none = answer(&mut engine, &question("Hello there"), &at_most(8), &with_tokens(biased([(first, 0.0)])));
    assert_eq!(none.text, plain.text);
}

#[test]
fn options_that_make_no_sense_are_errors_that_name_them() {
    let mut engine = engine();
    let greedy = Sampling::greedy;
    let vocabulary = engine.tokenizer().len() as u32;
    let everything: BTreeMap<u32, f32> = (0..vocabulary).map(|id| (id, -100.0)).collect();
    let cases = [
        ("logitBias", biased([(vocabulary, 1.0)]), at_most(1)),
        ("logitBias[0]", biased([(0, f32::NAN)]), at_most(1)),
        ("logitBias[0]", biased([(0, 101.0)]), at_most(1)),
        ("logitBias", biased(everything), at_most(1)),
        ("minTokens", Sampling { min_tokens: 3, ..greedy() }, at_most(2)),
        ("topLogprobs", greedy(), ChatOptions { top_logprobs: 1, ..at_most(1) }),
        (
            "topLogprobs",
            Sampling { logprobs: true, ..greedy() },
            ChatOptions { top_logprobs: MAX_TOP_LOGPROBS + 1, ..at_most(1) },
        ),
        ("stop[1]", greedy(), ChatOptions { stop: vec!["a".to_string(), String::new()], ..at_most(1) }),
    ];
    for (name, sampling, options) in cases {
        let error = try_answer(&mut engine, &question("Hello there"), &options, &sampling).expect_err(name);
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{name}: {error}");
        let message = error.to_string();
        assert!(message.contains(&format!("({name})")) && message.contains("got "), "{message}");
        assert!(message.contains("expected "), "{message}");
    }
    answer(&mut engine, &question("Hello there"), &at_most(1), &greedy());
}

/// In a file that calls one of the answer's first tokens the end of the turn.
#[test]
fn an_answer_is_at_least_so_long() {
    let mut file = TinyModel::default().file();
    let with_tokens = Sampling { logprobs: true, ..Sampling::greedy() };
    let whole = answer(&mut load_engine(&file.bytes(), None), &question("Hello there"), &at_most(20), &with_tokens);
    let end = tokens(&whole)[2];
    let first = tokens(&whole).iter().position(|&token| token == end).expect("it is one of them");
    file.metadata.retain(|(name, _)| name != "tokenizer.ggml.eos_token_id");
    file.metadata.push(("tokenizer.ggml.eos_token_id".to_string(), Value::U32(end)));

    let mut engine = load_engine(&file.bytes(), None);
    for min_tokens in [0, first, first + 1, 12, 20] {
        let sampling = Sampling { min_tokens, ..with_tokens.clone() };
        let reply = answer(&mut engine, &question("Hello there"), &at_most(20), &sampling);
        let count = reply.usage.completion_tokens;
        assert_eq!(count, tokens(&reply).len());
        assert!(!tokens(&reply).contains(&end), "the end of the turn is banned until it ends the turn");
        if min_tokens <= first {
            assert_eq!((count, reply.finish_reason), (first, FinishReason::Stop), "{min_tokens}");
        } else {
            assert!(count >= min_tokens, "{min_tokens}: {count} tokens");
        }
    }

    // A stop string is text like any other until then.
    let mut engine = load_engine(&TinyModel::default().bytes(), None);
    let stop = whole.text.chars().next().expect("there is text").to_string();
    let options = ChatOptions { stop: vec![stop.clone()], ..at_most(20) };
    assert_eq!(answer(&mut engine, &question("Hello there"), &options, &with_tokens).text, "");
    let reply = answer(&mut engine, &question("Hello there"), &options, &Sampling { min_tokens: 5, ..with_tokens });
    let expected_start: String = whole.logprobs.iter().flatten().take(5).map(|entry| &*entry.token.text).collect();
    assert!(reply.text.starts_with(&expected_start), "{:?}, {expected_start:?}", reply.text);
    assert!(!reply.text[expected_start.len()..].contains(&stop), "{:?}", reply.text);
}

#[test]
fn log_probabilities_are_the_models_own_whatever_the_sampling() {
    let mut engine = engine();
    let base = Sampling { logprobs: true, seed: 3, ..Sampling::default() };
    let cases = [
        ("greedy", Sampling { temperature: 0.0, ..base.clone() }),
        ("sampled", Sampling { temperature: 1.5, top_k: 0, top_p: 0.9, ..base.clone() }),
        (
            "biased and penalised",
            Sampling { logit_bias: [(3, 5.0), (4, -100.0)].into(), repetition_penalty: 1.5, ..base },
        ),
    ];
    for (name, sampling) in cases {
        let options = ChatOptions { top_logprobs: 3, ..at_most(10) };
        let reply = answer(&mut engine, &question("Hello there"), &options, &sampling);
        let prompt = engine.prompt_tokens(&question("Hello there"), &options).expect("the template is good");
        let ids = [prompt.clone(), tokens(&reply)].concat();
        let scores = block_on(engine.score(&ids, prompt.len(), 3, || false)).expect("the engine scores");
        let entries = reply.logprobs.as_ref().expect("they were asked for");
        assert_eq!((entries.len(), scores.len()), (reply.usage.completion_tokens, entries.len()), "{name}");
        let text: String = entries.iter().map(|entry| entry.token.text.as_str()).collect();
        assert_eq!(text, reply.text, "{name}");
        for (entry, score) in entries.iter().zip(&scores) {
            // Keys and values were computed in other passes: see LOGITS in model.rs.
            let is_close = |got: f32, expected: f32| (got - expected).abs() < 1e-3;
            assert!(is_close(entry.token.logprob, score.logprob), "{name}: {entry:?}, {score:?}");
            assert_eq!(entry.top.len(), 3);
            assert!(entry.top.iter().zip(&score.top).all(|(got, expected)| is_close(got.logprob, expected.logprob)));
            assert_eq!(entry.top[0].text, engine.tokenizer().decode(&[entry.top[0].id]).expect("it exists"));
        }
    }
    assert_eq!(answer(&mut engine, &question("Hello there"), &at_most(1), &Sampling::greedy()).logprobs, None);
}

/// What the host chooses with nothing to change is what the device chooses.
#[test]
fn asking_for_log_probabilities_changes_no_answer() {
    let mut engine = engine();
    for sampling in [Sampling::greedy(), Sampling { temperature: 1.2, top_k: 40, seed: 5, ..Sampling::default() }] {
        let on_device = answer(&mut engine, &question("Hello there"), &at_most(20), &sampling);
        let on_host =
            answer(&mut engine, &question("Hello there"), &at_most(20), &Sampling { logprobs: true, ..sampling });
        assert_eq!(on_host.text, on_device.text);
    }
}

/// A conversation of so many turns before the last message.
fn conversation(turns: usize) -> Vec<Message> {
    let turn = |number| {
        [
            Message::new(Role::User, format!("question {number} of many")),
            Message::new(Role::Assistant, format!("answer {number}, in more words than the question")),
        ]
    };
    let mut messages = vec![Message::new(Role::System, "Be brief.")];
    messages.extend((0..turns).flat_map(turn));
    messages.push(Message::new(Role::User, "and the last one?"));
    messages
}

#[test]
fn a_conversation_too_long_for_the_context_loses_its_oldest_turns() {
    const CONTEXT: usize = 512;
    let mut engine = load_engine(&TinyModel::default().bytes(), Some(CONTEXT));
    let slide = |max_tokens| ChatOptions { context_policy: ContextPolicy::Slide, max_tokens, ..ChatOptions::default() };
    let count = |engine: &Engine<GpuBackend>, messages: &[Message]| {
        engine.prompt_tokens(messages, &ChatOptions::default()).expect("the template is good").len()
    };
    for (max_tokens, room) in [(Some(20), 20), (None, CONTEXT / 4), (Some(10 * CONTEXT), CONTEXT / 2)] {
        for turns in [0, 1, 3, 4, 5, 10, 100] {
            let messages = conversation(turns);
            let fitted = engine.fit_prompt(&messages, &slide(max_tokens)).expect("the last turn is short");
            let left = |dropped: usize| [&messages[..1], &messages[1 + dropped..]].concat();
            let dropped = fitted.dropped_messages;
            let case = format!("{turns} turns, room for {room}: {dropped} messages dropped");
            assert!(dropped.is_multiple_of(2), "{case}: whole turns");
            let expected = engine.prompt_tokens(&left(dropped), &ChatOptions::default()).expect("it is good");
            assert_eq!(fitted.tokens, expected, "{case}");
            assert!(fitted.tokens.len() + room <= CONTEXT, "{case}");
            if dropped > 0 {
                assert!(count(&engine, &left(dropped - 2)) + room > CONTEXT, "{case}: no more than needed");
            }
        }
    }

    let messages = conversation(30);
    let refused = try_answer(&mut engine, &messages, &at_most(20), &Sampling::greedy()).expect_err("it is too long");
    assert_eq!(refused.kind(), ErrorKind::ContextFull);
    let reply = answer(&mut engine, &messages, &slide(Some(20)), &Sampling::greedy());
    let dropped = reply.usage.dropped_messages;
    assert!(dropped > 0);
    let short = [&messages[..1], &messages[1 + dropped..]].concat();
    let expected = answer(
        &mut load_engine(&TinyModel::default().bytes(), Some(CONTEXT)),
        &short,
        &at_most(20),
        &Sampling::greedy(),
    );
    assert_eq!(reply.text, expected.text);

    // The last turn stays, even without the room that was wished for, until it is longer than the context.
    let long =
        |words: usize| vec![messages[0].clone(), messages[1].clone(), Message::new(Role::User, "no ".repeat(words))];
    let words =
        (1..).take_while(|&words| count(&engine, &[&messages[..1], &long(words)[2..]].concat()) <= CONTEXT).count();
    let reply = answer(&mut engine, &long(words), &slide(None), &Sampling::greedy());
    assert_eq!((reply.usage.dropped_messages, reply.finish_reason), (1, FinishReason::Length));
    let error = try_answer(&mut engine, &long(words + 1), &slide(None), &Sampling::greedy()).expect_err("too long");
    assert_eq!(error.kind(), ErrorKind::ContextFull);
    let huge = vec![Message::new(Role::User, "no ".repeat(CONTEXT * 256)), messages[1].clone()];
    let reply = answer(&mut engine, &huge, &slide(None), &Sampling::greedy());
    assert_eq!(reply.usage.dropped_messages, 1, "even what is too long to be counted is dropped");
}
