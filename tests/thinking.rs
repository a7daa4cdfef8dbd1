//! Thinking, from the model's tokens to the reply. The model is random, so what it writes is read off first; then the
//! file is written again with some of those very tokens called `<think>` and `</think>`. The weights are the same, and so
//! is what it writes.

use candle_core::quantized::gguf_file::Value;
use pollster::block_on;
use qwisp::ErrorKind;
use qwisp::backend::gpu::GpuBackend;
use qwisp::engine::{BatchItem, ChatOptions, Engine, FinishReason, Reply};
use qwisp::generate::{Generator, Sampling};
use qwisp::text::{Message, Piece, Role};

use self::support::asking::{at_most, question};
use self::support::loading::load_engine;
use self::support::tiny_model::{GgufFile, TinyModel};

mod support;

/// Tokens of an answer.
const LENGTH: usize = 24;
/// `tokenizer.ggml.token_type` of a user-defined token.
const USER_DEFINED: i32 = 4;

/// Like DeepSeek-R1's: the prompt opens the thinking. No word of it is merged.
const ALWAYS: &str =
    "{% for m in messages %}{{ '<|im_start|>' + m.content + '<|im_end|>' }}{% endfor %}<|im_start|><think>\n";
/// Like Qwen3's: the model opens it, unless the prompt closes it.
const OPTIONAL: &str = "{% for m in messages %}{{ '<|im_start|>' + m.content + '<|im_end|>' }}{% endfor %}<|im_start|>\
    {% if enable_thinking is defined and enable_thinking is false %}{{ '<think>\n\n</think>\n\n' }}{% endif %}";

fn set(file: &mut GgufFile, key: &str, value: Value) {
    file.metadata.retain(|(name, _)| name != key);
    file.metadata.push((key.to_string(), value));
}

fn strings(file: &GgufFile, key: &str) -> Vec<String> {
    let (_, Value::Array(values)) = file.metadata.iter().find(|(name, _)| name == key).expect("the key is there")
    else {
        panic!("{key} is a list")
    };
    values.iter().map(|value| value.to_string().expect("they are strings").clone()).collect()
}

fn array(values: Vec<String>) -> Value {
    Value::Array(values.into_iter().map(Value::String).collect())
}

/// Gives a token that merges made another name.
fn rename(file: &mut GgufFile, id: u32, name: &str) {
    let mut tokens = strings(file, "tokenizer.ggml.tokens");
    let old = std::mem::replace(&mut tokens[id as usize], name.to_string());
    let merges = strings(file, "tokenizer.ggml.merges");
    let touches = |merge: &String| merge.replace(' ', "") == old || merge.split(' ').any(|part| part == old);
    set(file, "tokenizer.ggml.merges", array(merges.into_iter().filter(|merge| !touches(merge)).collect()));
    set(file, "tokenizer.ggml.tokens", array(tokens));
    let (_, types) =
        file.metadata.iter_mut().find(|(key, _)| key == "tokenizer.ggml.token_type").expect("the key is there");
    let Value::Array(types) = types else { panic!("the types are a list") };
    types[id as usize] = Value::I32(USER_DEFINED);
}

/// A greedy reply, with its pieces.
fn reply(engine: &mut Engine<GpuBackend>, messages: &[Message], options: &ChatOptions) -> (Reply, Vec<Piece>) {
    let mut pieces = Vec::new();
    let on_piece = |piece: &Piece| pieces.push(piece.clone());
    let reply = block_on(engine.chat(messages, options, &Sampling::greedy(), on_piece, || false));
    let reply = reply.expect("the engine answers");
    let thinking: String = pieces.iter().map(|piece| piece.thinking.as_str()).collect();
    let text: String = pieces.iter().map(|piece| piece.text.as_str()).collect();
    assert_eq!((&thinking, &text), (&reply.thinking, &reply.text), "the pieces are the reply");
    (reply, pieces)
}

/// What the model writes after `prompt`.
fn continuation(engine: &mut Engine<GpuBackend>, prompt: &[u32], length: usize) -> Vec<u32> {
    let (choices, sampling) = (engine.tokenizer().len(), Sampling::greedy());
    let start = Generator::start(engine.model_mut(), prompt, &sampling, choices, Some(length), || false);
    let (mut generator, _) = block_on(start).expect("there is room");
    let mut ids = Vec::new();
    while let Some(id) = block_on(generator.next_token()).expect("the device works") {
        ids.push(id);
    }
    ids
}

/// A model that thinks: its file, a question, and the tokens that it writes as an answer.
struct Thinker {
    engine: Engine<GpuBackend>,
    question: Vec<Message>,
    ids: Vec<u32>,
    /// Where `</think>` stands in the answer.
    closing: usize,
}

impl Thinker {
    /// Looks for a question in whose answer the right tokens can be given other names: one that merges made, which isn't
    /// the first of the answer and occurs once, becomes `</think>`. With the template [`OPTIONAL`], the first one
    /// becomes `<think>`.
    fn new(template: &str) -> Self {
        let opens_itself = template == OPTIONAL;
        let mut file = TinyModel::default().file();
        set(&mut file, "tokenizer.chat_template", Value::String(template.to_string()));
        let tokens = strings(&file, "tokenizer.ggml.tokens");
        let is_merged = |id: u32| (256..tokens.len() as u32 - 3).contains(&id);
        // The tags must be tokens when the prompt is made; `Ġto` is one that merges made last.
        let spare = tokens.iter().position(|token| token == "Ġto").expect("it is there") as u32;
        let mut plain = TinyModel::default().file();
        set(&mut plain, "tokenizer.chat_template", Value::String(template.to_string()));
        if !opens_itself {
            rename(&mut plain, spare, "<think>");
            rename(&mut file, spare, "<think>");
        }
        let mut engine = load_engine(&plain.bytes(), None);
        for number in 0..200u32 {
            let question = question(&format!("Q{number}X"));
            let prompt = engine.prompt_tokens(&question, &ChatOptions::default()).expect("the template is good");
            let ids = continuation(&mut engine, &prompt, LENGTH);
            let once = |id: &u32| ids.iter().filter(|other| *other == id).count() == 1;
            let fits = |&index: &usize| is_merged(ids[index]) && ids[index] != spare && once(&ids[index]);
            let Some(closing) = (5..LENGTH - 5).find(fits) else { continue };
            if opens_itself {
                if !fits(&0) {
                    continue;
                }
                rename(&mut file, ids[0], "<think>");
            }
            rename(&mut file, ids[closing], "</think>");
            return Self { engine: load_engine(&file.bytes(), None), question, ids, closing };
        }
        panic!("no answer has the right tokens");
    }

    fn text(&self, ids: &[u32]) -> String {
        self.engine.tokenizer().decode(ids).expect("the tokens exist")
    }

    fn reply(&mut self, options: &ChatOptions) -> (Reply, Vec<Piece>) {
        reply(&mut self.engine, &self.question, options)
    }
}

#[test]
fn thoughts_come_apart_from_the_answer_when_the_prompt_opens_them() {
    let mut thinker = Thinker::new(ALWAYS);
    let (reply, pieces) = thinker.reply(&at_most(LENGTH));
    let (thoughts, answer) = (&thinker.ids[..thinker.closing], &thinker.ids[thinker.closing + 1..]);
    assert_eq!(reply.thinking, thinker.text(thoughts));
    assert_eq!(reply.text, thinker.text(answer));
    assert_eq!(reply.usage.completion_tokens, LENGTH, "both count");
    assert_eq!(reply.usage.thinking_tokens, thoughts.len());
    assert_eq!(reply.finish_reason, FinishReason::Length);
    assert_eq!(pieces.len(), LENGTH - 1, "each token but the tag is shown as it comes");
    assert!(pieces.iter().all(|piece| piece.thinking.is_empty() != piece.text.is_empty()));

    let (reply, _) = thinker.reply(&at_most(thinker.closing - 1));
    assert_eq!(reply.thinking, thinker.text(&thinker.ids[..thinker.closing - 1]));
    assert_eq!((reply.text.as_str(), reply.usage.thinking_tokens), ("", thinker.closing - 1));

    let error = block_on(thinker.engine.chat(
        &thinker.question,
        &ChatOptions { thinking: Some(false), ..at_most(1) },
        &Sampling::greedy(),
        |_| (),
        || false,
    ));
    assert_eq!(error.expect_err("it always thinks").kind(), ErrorKind::InvalidArgument);
    assert!(thinker.engine.thinks(None));
}

#[test]
fn thoughts_come_apart_from_the_answer_when_the_model_opens_them() {
    let mut thinker = Thinker::new(OPTIONAL);
    let (thoughts, answer) = (&thinker.ids[1..thinker.closing], &thinker.ids[thinker.closing + 1..]);
    let (thoughts, answer) = (thinker.text(thoughts), thinker.text(answer));
    for thinking in [None, Some(true)] {
        let (reply, _) = thinker.reply(&ChatOptions { thinking, ..at_most(LENGTH) });
        assert_eq!((reply.thinking, reply.text), (thoughts.clone(), answer.clone()), "{thinking:?}");
        assert_eq!(reply.usage.completion_tokens, LENGTH);
        assert_eq!(reply.usage.thinking_tokens, thinker.closing - 1, "neither tag counts");
        assert!(thinker.engine.thinks(thinking));
    }

    let off = ChatOptions { thinking: Some(false), ..at_most(LENGTH) };
    let prompt = thinker.engine.prompt_tokens(&thinker.question, &off).expect("the template is good");
    let [opening, closing] = ["<think>", "</think>"].map(|tag| thinker.engine.tokenizer().special_token(tag));
    assert!(prompt.contains(&opening.expect("it is a token")) && prompt.contains(&closing.expect("it is a token")));
    let ids = continuation(&mut thinker.engine, &prompt, LENGTH);
    let (reply, _) = thinker.reply(&off);
    assert_eq!((reply.thinking, reply.text), (String::new(), thinker.text(&ids)));
    assert_eq!(reply.usage.thinking_tokens, 0);
    assert!(!thinker.engine.thinks(Some(false)));
}

#[test]
fn a_budget_ends_the_thinking_and_the_answer_follows() {
    for (template, opening) in [(ALWAYS, 0), (OPTIONAL, 1)] {
        let mut thinker = Thinker::new(template);
        let (whole, _) = thinker.reply(&at_most(LENGTH));
        let tokenizer = thinker.engine.tokenizer();
        let words = "\n\nConsidering the limited time by the user, I have to give the solution based on the thinking \
            directly now.\n";
        let closing = tokenizer.special_token("</think>").expect("it is a token");
        let encoded = |text: &str| tokenizer.encode(text, false).expect("text has tokens");
        let ending = [encoded(words), vec![closing], encoded("\n\n")].concat();
        let prompt = thinker.engine.prompt_tokens(&thinker.question, &ChatOptions::default()).expect("it is good");
        for budget in [0, 1, 3] {
            let thoughts = thinker.ids[..opening + budget].to_vec();
            let so_far = [prompt.clone(), thoughts.clone(), ending.clone()].concat();
            let left = LENGTH - thoughts.len();
            let answer = continuation(&mut thinker.engine, &so_far, left);

            let options = ChatOptions { thinking_budget: Some(budget), ..at_most(LENGTH) };
            let (reply, _) = thinker.reply(&options);
            let thought = thinker.text(&thoughts[opening..]) + words;
            assert_eq!(reply.thinking, thought.trim_matches('\n'), "{budget}");
            assert_eq!(reply.text, thinker.text(&answer).trim_start_matches('\n'), "{budget}");
            assert_eq!(reply.usage.thinking_tokens, budget);
            assert_eq!(reply.usage.completion_tokens, LENGTH, "what ends the thinking isn't written by the model");
            assert_eq!(reply.finish_reason, FinishReason::Length);
        }
        // One that isn't reached changes nothing.
        for budget in [thinker.closing + 1, 1000] {
            let (reply, _) = thinker.reply(&ChatOptions { thinking_budget: Some(budget), ..at_most(LENGTH) });
            assert_eq!((&reply.thinking, &reply.text), (&whole.thinking, &whole.text));
        }
        // Nor does one that is reached where the reply ends anyway.
        let (reply, _) = thinker.reply(&ChatOptions { thinking_budget: Some(3), ..at_most(opening + 3) });
        assert_eq!((reply.text.as_str(), reply.finish_reason), ("", FinishReason::Length));
        assert_eq!(reply.thinking, thinker.text(&thinker.ids[opening..opening + 3]));
    }
}

#[test]
fn a_batch_ends_thinking_as_a_single_reply_does() {
    for template in [ALWAYS, OPTIONAL] {
        let mut thinker = Thinker::new(template);
        let options = [Some(0), Some(3), Some(1000), None]
            .map(|thinking_budget| ChatOptions { thinking_budget, ..at_most(LENGTH) });
        let expected = options.each_ref().map(|options| thinker.reply(options).0);
        let item = |options| BatchItem { messages: thinker.question.clone(), options, sampling: Sampling::greedy() };
        let items = options.map(item);
        let replies = block_on(thinker.engine.batch(&items, |_, _| (), || false)).expect("the device computes");
        for (reply, expected) in replies.into_iter().zip(expected) {
            let reply = reply.expect("each has room");
            assert_eq!((&reply.thinking, &reply.text), (&expected.thinking, &expected.text));
            assert_eq!(reply.usage.thinking_tokens, expected.usage.thinking_tokens);
            assert_eq!(reply.usage.completion_tokens, expected.usage.completion_tokens);
            assert_eq!(reply.finish_reason, expected.finish_reason);
        }
    }
}

#[test]
fn stop_strings_end_the_answer_and_not_the_thoughts() {
    let mut thinker = Thinker::new(ALWAYS);
    let (whole, _) = thinker.reply(&at_most(LENGTH));
    let in_thoughts = whole.thinking[1..4].to_string();
    let (reply, _) = thinker.reply(&ChatOptions { stop: vec![in_thoughts.clone()], ..at_most(LENGTH) });
    assert_eq!(reply.thinking, whole.thinking);
    let expected = whole.text.split(&in_thoughts).next().expect("there is a first part");
    assert_eq!(reply.text, expected);

    let in_answer = whole.text[1..3].to_string();
    let (reply, _) = thinker.reply(&ChatOptions { stop: vec![in_answer.clone()], ..at_most(LENGTH) });
    assert_eq!(reply.finish_reason, FinishReason::Stop);
    assert_eq!(reply.text, whole.text.split(&in_answer).next().expect("there is a first part"));
    assert_eq!(reply.thinking, whole.thinking);
}

#[test]
fn thinking_ends_with_the_context_where_its_ending_has_no_room() {
    let mut file = TinyModel::default().file();
    set(&mut file, "tokenizer.chat_template", Value::String(ALWAYS.to_string()));
    // Without tokens for them, tags are found in the text; the model never writes one.
    let mut engine = load_engine(&file.bytes(), Some(64));
    let options = ChatOptions { thinking_budget: Some(4), ..ChatOptions::default() };
    let (reply, _) = reply(&mut engine, &question("QX"), &options);
    assert_eq!((reply.text.as_str(), reply.finish_reason), ("", FinishReason::Length));
    assert_eq!(reply.usage.thinking_tokens, 4);
    assert!(!reply.thinking.is_empty());
}

#[test]
fn a_model_that_does_not_think_is_not_asked_to() {
    let mut engine = load_engine(&TinyModel::default().bytes(), None);
    assert!(!engine.thinks(None) && !engine.takes_tools());
    let asked = ChatOptions { thinking: Some(true), ..at_most(1) };
    let error = block_on(engine.chat(&question("X"), &asked, &Sampling::greedy(), |_| (), || false));
    assert_eq!(error.expect_err("it can't").kind(), ErrorKind::InvalidArgument);
    let (plain, _) = reply(&mut engine, &question("X"), &at_most(5));
    let unasked = ChatOptions { thinking: Some(false), thinking_budget: Some(0), ..at_most(5) };
    assert_eq!(reply(&mut engine, &question("X"), &unasked).0.text, plain.text);
}

#[test]
fn a_file_without_a_template_is_talked_to_in_chatml() {
    let mut file = TinyModel::default().file();
    let with_template = load_engine(&file.bytes(), None);
    file.metadata.retain(|(key, _)| key != "tokenizer.chat_template");
    let without = load_engine(&file.bytes(), None);
    let messages = [
        Message::new(Role::System, "Be good."),
        Message::new(Role::User, "Hi\n"),
        Message::new(Role::Assistant, "Yes"),
    ];
    let prompt = without.prompt_text(&messages).expect("ChatML takes everything");
    assert_eq!(
        prompt,
        "<|im_start|>system\nBe good.<|im_end|>\n<|im_start|>user\nHi\n<|im_end|>\n<|im_start|>assistant\nYes<|im_end|>\n\
        <|im_start|>assistant\n"
    );
    assert_eq!(prompt, with_template.prompt_text(&messages).expect("the template is good"));
}
