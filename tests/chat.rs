//! The engine: how answers begin, stop and follow each other, and how it scores tokens.

use std::cell::Cell;

use candle_core::quantized::gguf_file::Value;
use pollster::block_on;
use qwisp::ErrorKind;
use qwisp::backend::Counters;
use qwisp::backend::gpu::GpuBackend;
use qwisp::engine::{ChatOptions, Engine, FinishReason, MAX_SCORE_TOP_K, Reply};
use qwisp::generate::{Sampling, log_probabilities};
use qwisp::text::{Message, Piece, Role};

use self::reference::qwen::Qwen;
use self::support::asking::{at_most, engine, question};
use self::support::loading::load_engine;
use self::support::tiny_model::TinyModel;

mod reference;
mod support;

const CONTEXT: usize = 512;

/// A greedy answer, with the pieces in which its text came.
fn answer(engine: &mut Engine<GpuBackend>, messages: &[Message], options: &ChatOptions) -> (Reply, Vec<String>) {
    let mut pieces = Vec::new();
    let on_piece = |piece: &Piece| pieces.push(piece.text.clone());
    let reply = block_on(engine.chat(messages, options, &Sampling::greedy(), on_piece, || false));
    (reply.expect("the engine answers"), pieces)
}

#[test]
fn an_answer_ends_at_max_tokens() {
    let mut engine = engine();
    let prompt_tokens =
        engine.prompt_tokens(&question("Hello there"), &ChatOptions::default()).expect("the template is good").len();
    for max_tokens in [1, 2, 30] {
        let (reply, pieces) = answer(&mut engine, &question("Hello there"), &at_most(max_tokens));
        assert_eq!(reply.finish_reason, FinishReason::Length);
        assert_eq!(reply.usage.completion_tokens, max_tokens);
        assert_eq!(reply.usage.prompt_tokens, prompt_tokens);
        assert_eq!(pieces.len(), max_tokens, "every token of this model is text of its own");
        assert_eq!(pieces.concat(), reply.text);
        let ids = engine.tokenizer().encode(&reply.text, false).expect("text has tokens");
        assert_eq!(engine.tokenizer().decode(&ids).expect("the tokens exist"), reply.text);
    }
    let error = block_on(engine.chat(&question("Hello there"), &at_most(0), &Sampling::greedy(), |_| (), || false));
    assert_eq!(error.expect_err("no tokens are no answer").kind(), ErrorKind::InvalidArgument);
}

#[test]
fn an_answer_ends_before_a_stop_string_wherever_tokens_end() {
    let mut engine = engine();
    let (whole, _) = answer(&mut engine, &question("Hello there"), &at_most(40));
    // From within one token to within another, and an end that never comes.
    for (start, length) in [(10, 1), (10, 4), (11, 7)] {
        let stop = whole.text[start..start + length].to_string();
        let expected = &whole.text[..whole.text.find(&stop).expect("it was taken from there")];
        let options = ChatOptions { stop: vec!["never\n".to_string(), stop.clone()], ..at_most(40) };
        let (reply, pieces) = answer(&mut engine, &question("Hello there"), &options);
        assert_eq!(reply.finish_reason, FinishReason::Stop, "{stop:?}");
        assert_eq!(reply.text, expected, "{stop:?}");
        assert_eq!(pieces.concat(), reply.text, "{stop:?}");
        assert!(reply.usage.completion_tokens < whole.usage.completion_tokens, "{stop:?}");
    }
    let options = ChatOptions { stop: vec!["never\n".to_string()], ..at_most(40) };
    let (reply, _) = answer(&mut engine, &question("Hello there"), &options);
    assert_eq!((reply.text, reply.finish_reason), (whole.text, FinishReason::Length));
}

/// The same weights in a file that calls one of the answer's tokens the end of the turn.
#[test]
fn an_answer_ends_at_the_files_own_end_of_turn() {
    for key in ["tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id"] {
        let mut file = TinyModel::default().file();
        let mut engine = load_engine(&file.bytes(), None);
        let (whole, pieces) = answer(&mut engine, &question("Hello there"), &at_most(20));
        let last = pieces.last().expect("there is text").as_str();
        let ids = engine.tokenizer().encode(last, false).expect("text has tokens");
        assert_eq!(ids.len(), 1, "{last:?} is a token");
        let first = pieces.iter().position(|piece| piece == last).expect("it is one of them");

        file.metadata.retain(|(name, _)| name != key);
        file.metadata.push((key.to_string(), Value::U32(ids[0])));
        let (reply, _) = answer(&mut load_engine(&file.bytes(), None), &question("Hello there"), &at_most(20));
        assert_eq!(reply.finish_reason, FinishReason::Stop, "{key}");
        assert_eq!(reply.text, pieces[..first].concat(), "{key}");
        assert_eq!(reply.usage.completion_tokens, first, "{key}: the end of the turn doesn't count");
        assert!(whole.text.starts_with(&reply.text));
    }
}

#[test]
fn an_abort_takes_effect_before_the_next_token() {
    let mut engine = engine();
    let (whole, _) = answer(&mut engine, &question("Hello there"), &at_most(30));
    for tokens_before in [0, 1, 5] {
        let shown = Cell::new(0);
        let on_piece = |_: &Piece| shown.set(shown.get() + 1);
        let aborted = || shown.get() == tokens_before;
        let reply =
            block_on(engine.chat(&question("Hello there"), &at_most(30), &Sampling::greedy(), on_piece, aborted));
        let reply = reply.expect("an aborted answer is an answer");
        assert_eq!(reply.finish_reason, FinishReason::Abort);
        assert_eq!(reply.usage.completion_tokens, tokens_before);
        assert_eq!(shown.get(), tokens_before);
        assert!(whole.text.starts_with(&reply.text));
    }
    let (again, _) = answer(&mut engine, &question("Hello there"), &at_most(30));
    assert_eq!(again.text, whole.text, "an abort leaves nothing behind");
}

#[test]
fn a_second_turn_computes_only_what_it_adds() {
    let mut engine = engine();
    let (first, _) = answer(&mut engine, &question("Hello there"), &at_most(20));
    assert_eq!(first.usage.cached_tokens, 0);
    let mut conversation = question("Hello there");
    conversation.push(Message::new(Role::Assistant, first.text));
    conversation.push(Message::new(Role::User, "And then?"));
    let (second, _) = answer(&mut engine, &conversation, &at_most(20));
    let expected = load_and_answer(&conversation);

    let cached = second.usage.cached_tokens;
    assert!(cached >= first.usage.prompt_tokens, "{cached} of {} tokens", first.usage.prompt_tokens);
    assert!(cached < second.usage.prompt_tokens);
    assert_eq!(expected.usage.cached_tokens, 0);
    assert_eq!(second.text, expected.text, "the kept part changes nothing");
    assert_eq!(engine.counters().prefill.passes, 2, "one for the tokens that are new, one for the first logits");
}

fn load_and_answer(messages: &[Message]) -> Reply {
    answer(&mut engine(), messages, &at_most(20)).0
}

#[test]
fn a_conversation_beyond_the_context_is_an_error_and_the_engine_goes_on() {
    let mut engine = load_engine(&TinyModel::default().bytes(), Some(64));
    let (before, _) = answer(&mut engine, &question("Hello there"), &at_most(20));
    let long = [Message::new(Role::User, "word ".repeat(100))];
    let error = block_on(engine.chat(&long, &at_most(20), &Sampling::greedy(), |_| (), || false));
    let error = error.expect_err("it is too long");
    assert_eq!(error.kind(), ErrorKind::ContextFull);
    assert!(error.to_string().contains("at most 64"), "{error}");
    let (after, _) = answer(&mut engine, &question("Hello there"), &at_most(20));
    assert_eq!(after.text, before.text);
    assert_eq!(after.usage.cached_tokens, after.usage.prompt_tokens - 1, "the cache is as it was");
}

#[test]
fn an_answer_ends_where_the_context_does() {
    let mut engine = load_engine(&TinyModel::default().bytes(), Some(64));
    let (reply, _) = answer(&mut engine, &question("Hello there"), &ChatOptions::default());
    assert_eq!(reply.finish_reason, FinishReason::Length);
    // The last token needs no place: nothing is computed after it.
    assert_eq!(reply.usage.prompt_tokens + reply.usage.completion_tokens, 64 + 1);
}

#[test]
fn a_seed_repeats_an_answer_and_another_seed_changes_it() {
    let mut engine = engine();
    let mut sampled = |seed| {
        let sampling = Sampling { temperature: 1.5, top_k: 50, seed, ..Sampling::default() };
        block_on(engine.chat(&question("Hello there"), &at_most(20), &sampling, |_| (), || false))
            .expect("the engine answers")
            .text
    };
    let first = sampled(1);
    assert_eq!(sampled(1), first);
    assert_ne!(sampled(2), first);
}

#[test]
fn a_setting_out_of_range_is_an_error_that_names_it() {
    let mut engine = engine();
    let sampling = Sampling { temperature: -1.0, ..Sampling::default() };
    let error = block_on(engine.chat(&question("Hello there"), &at_most(1), &sampling, |_| (), || false));
    let error = error.expect_err("the temperature is out of range");
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert!(error.to_string().contains("temperature"), "{error}");
}

#[test]
fn a_reply_counts_what_it_asked_of_the_device() {
    let mut engine = engine();
    let prompt_tokens =
        engine.prompt_tokens(&question("Hello there"), &ChatOptions::default()).expect("the template is good").len();
    answer(&mut engine, &question("Hello there"), &at_most(11));
    let Counters { tokens, passes, submits, bytes_written, bytes_read, bind_groups_created, .. } =
        engine.counters().decode;
    // Ten tokens after the first: none beyond `max_tokens` is asked for.
    assert_eq!((tokens, passes, submits, bytes_read), (10, 10, 10, 10 * 16));
    assert_eq!(bytes_written, 0, "nothing comes from the host");
    assert_eq!(bind_groups_created, 0, "all were made when the model was loaded");
    assert_eq!(engine.counters().prefill.tokens, prompt_tokens as u64);
    assert_eq!(engine.counters().prefill.bytes_read, 16);
}

#[test]
fn scores_are_the_log_softmax_of_the_reference() {
    let tiny = TinyModel::default();
    let mut engine = load_engine(&tiny.bytes(), None);
    let text = "hello there, in the end: ".repeat(8);
    let ids = engine.tokenizer().encode(&text, false).expect("text has tokens");
    assert!(ids.len() > 64 + 8, "more than one pass, and than the logits that are read at once");
    let logits = Qwen::new(&tiny).logits(&ids);
    let reference: Vec<Vec<f64>> = logits.iter().map(|logits| log_softmax(logits)).collect();
    for (from, top_k) in [(2, 0), (1, 3), (70, 1), (ids.len() - 1, 5), (5, 1000)] {
        let scores = block_on(engine.score(&ids, from, top_k, || false)).expect("the engine scores");
        assert_eq!(scores.len(), ids.len() - from);
        for (index, score) in scores.iter().enumerate() {
            let expected = &reference[from + index - 1];
            // Logits of this model are up to 20, and right to 1e-4 of that: see LOGITS in model.rs.
            let is_close = |id: u32, logprob: f32| (f64::from(logprob) - expected[id as usize]).abs() < 1e-3;
            assert_eq!(score.id, ids[from + index]);
            assert!(is_close(score.id, score.logprob), "{score:?}, expected {}", expected[score.id as usize]);
            assert_eq!(score.top.len(), top_k.min(expected.len()));
            assert!(score.top.iter().all(|top| is_close(top.id, top.logprob)));
            assert!(score.top.is_sorted_by(|a, b| a.logprob >= b.logprob));
            let largest = expected.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            assert!(score.top.first().is_none_or(|top| (f64::from(top.logprob) - largest).abs() < 1e-3));
        }
    }
}

fn log_softmax(logits: &[f64]) -> Vec<f64> {
    let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = logits.iter().map(|logit| (logit - largest).exp()).sum();
    logits.iter().map(|logit| logit - largest - sum.ln()).collect()
}

#[test]
fn log_probabilities_sum_to_one_however_large_the_logits() {
    for logits in [&[0.0, 1.0, -1.0][..], &[1e4, 1e4, 0.0], &[-1e4, -1e4], &[5.0]] {
        let got = log_probabilities(logits);
        let expected = log_softmax(&logits.iter().map(|&logit| f64::from(logit)).collect::<Vec<_>>());
        for (got, expected) in got.iter().zip(&expected) {
            assert!((f64::from(*got) - expected).abs() <= 1e-6 * expected.abs(), "{logits:?}: {got}, {expected}");
        }
    }
}

#[test]
fn what_cannot_be_scored_is_an_error() {
    let mut engine = engine();
    let too_long = vec![0; CONTEXT + 2];
    let cases: [(&str, &[u32], usize, ErrorKind); 5] = [
        ("nothing comes before the first token", &[1, 2], 0, ErrorKind::InvalidArgument),
        ("nothing is left", &[1, 2], 2, ErrorKind::InvalidArgument),
        ("no tokens", &[], 1, ErrorKind::InvalidArgument),
        ("no such token", &[1, 1 << 20], 1, ErrorKind::InvalidArgument),
        ("too many tokens", &too_long, 1, ErrorKind::ContextFull),
    ];
    for (name, ids, from, kind) in cases {
        let error = block_on(engine.score(ids, from, 1, || false)).expect_err(name);
        assert_eq!(error.kind(), kind, "{name}: {error}");
    }
    let error = block_on(engine.score(&[1, 2], 1, MAX_SCORE_TOP_K + 1, || false)).expect_err("too many alternatives");
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    let error = block_on(engine.score(&[1, 2], 1, 1, || true)).expect_err("aborted");
    assert_eq!(error.kind(), ErrorKind::Aborted);
    let longest = &too_long[..CONTEXT + 1];
    assert_eq!(block_on(engine.score(longest, CONTEXT, 1, || false)).expect("the last token needs no place").len(), 1);
}
