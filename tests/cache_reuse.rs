//! The KV cache from one answer to the next: what two prompts have in common is computed once, and it never shows in the
//! answer.

use std::cell::Cell;

use pollster::block_on;
use qwisp::backend::KvCacheFormat;
use qwisp::backend::gpu::GpuBackend;
use qwisp::engine::{ChatOptions, ContextPolicy, Engine, FinishReason, Reply};
use qwisp::generate::Sampling;
use qwisp::load::LoadOptions;
use qwisp::text::{Message, Role};

use self::support::loading::load_engine_with;
use self::support::tiny_model::TinyModel;

mod support;

const CONTEXT: usize = 512;

/// An engine with a KV cache of this format.
fn engine(kv_cache: KvCacheFormat) -> Engine<GpuBackend> {
    let options = LoadOptions { context_length: Some(CONTEXT), kv_cache, ..LoadOptions::default() };
    load_engine_with(&TinyModel::default().bytes(), &options)
}

/// Two engines with a KV cache of each format.
fn engines() -> impl Iterator<Item = (Engine<GpuBackend>, Engine<GpuBackend>)> {
    KvCacheFormat::ALL.into_iter().map(|kv_cache| (engine(kv_cache), engine(kv_cache)))
}

/// Messages of the user and the assistant in turn.
fn conversation(texts: &[&str]) -> Vec<Message> {
    let roles = [Role::User, Role::Assistant].into_iter().cycle();
    texts.iter().zip(roles).map(|(text, role)| Message::new(role, *text)).collect()
}

fn options() -> ChatOptions {
    ChatOptions { max_tokens: Some(12), ..ChatOptions::default() }
}

fn answer(engine: &mut Engine<GpuBackend>, messages: &[Message]) -> Reply {
    block_on(engine.chat(messages, &options(), &Sampling::greedy(), |_| (), || false)).expect("the engine answers")
}

fn tokens(engine: &Engine<GpuBackend>, messages: &[Message]) -> Vec<u32> {
    engine.prompt_tokens(messages, &options()).expect("the template is good")
}

/// Checks that an answer is the one that an engine gives which has seen nothing before, that so many of its prompt's tokens
/// were in the cache, and that no others were computed.
fn assert_reused(engine: &mut Engine<GpuBackend>, fresh: &mut Engine<GpuBackend>, messages: &[Message], cached: usize) {
    let reply = answer(engine, messages);
    fresh.model_mut().cache().truncate(0);
    let expected = answer(fresh, messages);
    assert_eq!(expected.usage.cached_tokens, 0);
    assert_eq!(reply.text, expected.text);
    assert_eq!(reply.usage.cached_tokens, cached);
    assert_eq!(engine.counters().prefill.tokens as usize, reply.usage.prompt_tokens - cached);
}

fn common_prefix(a: &[u32], b: &[u32]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

#[test]
fn an_answer_again_computes_only_the_last_token_of_its_prompt() {
    for (mut engine, mut fresh) in engines() {
        let messages = conversation(&["Hello there", "Good day", "What is it that you want of me in the end?"]);
        let prompt = tokens(&engine, &messages).len();
        assert_reused(&mut engine, &mut fresh, &messages, 0);
        for _ in 0..2 {
            assert_reused(&mut engine, &mut fresh, &messages, prompt - 1);
        }
        // Sampled or on the host, it is the same prompt.
        let sampling = Sampling { temperature: 1.0, top_k: 0, logprobs: true, ..Sampling::default() };
        let reply =
            block_on(engine.chat(&messages, &options(), &sampling, |_| (), || false)).expect("the engine answers");
        assert_eq!(reply.usage.cached_tokens, prompt - 1);
        assert_reused(&mut engine, &mut fresh, &messages, prompt - 1);
    }
}

#[test]
fn an_edited_message_is_computed_from_the_edit_on() {
    for (mut engine, mut fresh) in engines() {
        let texts = ["Hello there, in the end", "Good day to you", "What is it that you want of me?"];
        for edited in [
            ["Hello there, in the end", "Good day to you", "What is it that she wants?"],
            ["Hello there, in the end", "Good night", "What is it that you want of me?"],
            ["Another start", "Good day to you", "What is it that you want of me?"],
        ] {
            let (before, after) = (conversation(&texts), conversation(&edited));
            answer(&mut engine, &before);
            let shared = common_prefix(&tokens(&engine, &before), &tokens(&engine, &after));
            assert!(shared > 0);
            assert_reused(&mut engine, &mut fresh, &after, shared);
        }
        // Cut back to an earlier message: all of it but its last token is there.
        answer(&mut engine, &conversation(&texts));
        let earlier = conversation(&texts[..1]);
        let shared = common_prefix(&tokens(&engine, &conversation(&texts)), &tokens(&engine, &earlier));
        let prompt = tokens(&engine, &earlier).len();
        assert_reused(&mut engine, &mut fresh, &earlier, shared.min(prompt - 1));
    }
}

#[test]
fn two_conversations_in_turn_share_only_how_they_begin() {
    for (mut engine, mut fresh) in engines() {
        let first = conversation(&["The one and only", "Indeed", "Go on"]);
        let second = conversation(&["The other one", "No", "Why is that?"]);
        let shared = common_prefix(&tokens(&engine, &first), &tokens(&engine, &second));
        assert!(shared > 0, "the template's beginning");
        assert_reused(&mut engine, &mut fresh, &first, 0);
        for messages in [&second, &first, &second] {
            assert_reused(&mut engine, &mut fresh, messages, shared);
        }
    }
}

#[test]
fn what_an_aborted_answer_computed_is_used_again() {
    for (mut engine, mut fresh) in engines() {
        let messages = conversation(&["Hello there"]);
        let prompt = tokens(&engine, &messages).len();
        let whole = answer(&mut fresh, &messages);
        for tokens_before in [0, 3] {
            let shown = Cell::new(0);
            let on_text = |_: &qwisp::text::Piece| shown.set(shown.get() + 1);
            let aborted = || shown.get() == tokens_before;
            let reply = block_on(engine.chat(&messages, &options(), &Sampling::greedy(), on_text, aborted));
            assert_eq!(reply.expect("an aborted answer is an answer").finish_reason, FinishReason::Abort);
            let cached = engine.model_mut().cache().tokens().len();
            assert!(cached <= prompt + tokens_before, "{cached} tokens: none that nobody has read");
            // The first abort came before the prompt was read.
            assert_reused(&mut engine, &mut fresh, &messages, if tokens_before == 0 { 0 } else { prompt - 1 });
        }
        // On with what the aborted answer said.
        let shown = Cell::new(0);
        let on_text = |_: &qwisp::text::Piece| shown.set(shown.get() + 1);
        let reply = block_on(engine.chat(&messages, &options(), &Sampling::greedy(), on_text, || shown.get() == 5));
        let said = reply.expect("an aborted answer is an answer").text;
        assert!(whole.text.starts_with(&said));
        let next = conversation(&["Hello there", &said, "And then?"]);
        let shared = common_prefix(engine.model_mut().cache().tokens(), &tokens(&fresh, &next));
        assert!(shared >= prompt - 1);
        assert_reused(&mut engine, &mut fresh, &next, shared);
    }
}

#[test]
fn a_prompt_that_is_aborted_half_way_goes_on_from_there() {
    for (mut engine, mut fresh) in engines() {
        let messages = conversation(&[&"and so on ".repeat(40)]);
        let prompt = tokens(&engine, &messages).len();
        assert!(prompt > 3 * 64);
        let asked = Cell::new(0);
        let aborted = || asked.replace(asked.get() + 1) == 2;
        let reply = block_on(engine.chat(&messages, &options(), &Sampling::greedy(), |_| (), aborted));
        assert_eq!(reply.expect("an aborted answer is an answer").finish_reason, FinishReason::Abort);
        assert_reused(&mut engine, &mut fresh, &messages, 2 * 64);
    }
}

#[test]
fn a_conversation_that_slid_is_answered_as_if_it_had_always_been_so_short() {
    for (mut engine, mut fresh) in engines() {
        let slide = ChatOptions { context_policy: ContextPolicy::Slide, ..options() };
        let mut messages = vec![Message::new(Role::System, "Be brief.")];
        let mut slides = 0;
        for turn in 0..14 {
            messages.push(Message::new(Role::User, format!("question {turn}: what is there to say in so many words?")));
            let reply = block_on(engine.chat(&messages, &slide, &Sampling::greedy(), |_| (), || false));
            let reply = reply.expect("the engine answers");
            let dropped = reply.usage.dropped_messages;
            slides += usize::from(dropped > 0);
            let left = [&messages[..1], &messages[1 + dropped..]].concat();
            fresh.model_mut().cache().truncate(0);
            let expected = answer(&mut fresh, &left);
            assert_eq!(
                (reply.text.as_str(), reply.usage.prompt_tokens),
                (&*expected.text, expected.usage.prompt_tokens)
            );
            if dropped > 0 {
                // The system message, that is, and the beginning of a message of the user.
                let kept = common_prefix(&tokens(&fresh, &messages[..1]), &tokens(&fresh, &left));
                assert!(reply.usage.cached_tokens >= kept, "{} of {kept} tokens", reply.usage.cached_tokens);
            } else if turn > 0 {
                assert!(reply.usage.cached_tokens > reply.usage.prompt_tokens / 2);
            }
            messages.push(Message::new(Role::Assistant, reply.text));
        }
        assert!(slides > 2, "{slides} of 14 answers needed room");

        // The same again, after the slide.
        messages.pop();
        let again = block_on(engine.chat(&messages, &slide, &Sampling::greedy(), |_| (), || false));
        let usage = again.expect("the engine answers").usage;
        assert_eq!(usage.cached_tokens, usage.prompt_tokens - 1);
    }
}
