//! What a loaded model can do: chat, tokenize, score.

use serde::{Deserialize, Serialize};
use web_time::Instant;

use crate::backend::{Backend, Counters, MAX_LOGIT_ROWS, MAX_PASS_TOKENS};
use crate::error::{Error, ErrorKind, Result};
use crate::generate::{Generator, StopStrings, log_probabilities, prefill};
use crate::model::Model;
use crate::sampling::Sampling;
use crate::text::{ChatTemplate, Message, TemplateOptions, TextStream, Tokenizer};

/// More bytes than any token of a Qwen stands for; its longest are runs of 128 spaces.
const LONGEST_TOKEN_BYTES: usize = 256;

/// The most alternatives that [`Engine::score`] gives for a position.
pub const MAX_SCORE_TOP_K: usize = 1000;

/// A model, its tokenizer and its chat template.
pub struct Engine<B: Backend> {
    model: Model<B>,
    tokenizer: Tokenizer,
    template: ChatTemplate,
    stop_tokens: Vec<u32>,
    counters: ReplyCounters,
}

/// What a reply may be like, besides how its tokens are chosen.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ChatOptions {
    /// The most tokens of the answer. Default: what the context has room for.
    pub max_tokens: Option<usize>,
    /// Strings that end the answer; they are not part of it.
    pub stop: Vec<String>,
    /// Whether a model that can think before it answers shall. Default: what its template does by itself.
    pub thinking: Option<bool>,
}

/// Why an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FinishReason {
    /// The model ended its turn, or a stop string occurred.
    Stop,
    /// `max_tokens` or the end of the context was reached.
    Length,
    /// The caller aborted.
    Abort,
}

/// A complete answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Reply {
    /// The answer.
    pub text: String,
    /// What the model thought before it answered; empty for a model that doesn't think.
    pub thinking: String,
    /// Why it ended.
    pub finish_reason: FinishReason,
    /// Tokens read and written.
    pub usage: Usage,
    /// Time spent.
    pub timings: Timings,
}

/// Tokens of a reply.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Usage {
    /// Tokens of the whole prompt.
    pub prompt_tokens: usize,
    /// How many of them were in the KV cache already.
    pub cached_tokens: usize,
    /// Tokens of the answer, the one that ended it not counted.
    pub completion_tokens: usize,
}

/// Time of a reply, in milliseconds and in tokens a second; 0 where nothing was computed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Timings {
    /// From the call to the first token of the answer.
    pub prefill_ms: f64,
    /// From the first token of the answer to its end.
    pub decode_ms: f64,
    /// Prompt tokens that were not in the cache, by `prefill_ms`.
    pub prefill_tokens_per_second: f64,
    /// Tokens after the first, by `decode_ms`.
    pub decode_tokens_per_second: f64,
}

/// What the last reply asked of the device.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReplyCounters {
    /// Reading the prompt, and choosing the first token of the answer.
    pub prefill: Counters,
    /// The tokens after the first. Those are among them that were under way when the answer ended.
    pub decode: Counters,
}

/// A token and the natural logarithm of its probability.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct TokenLogprob {
    /// The token.
    pub id: u32,
    /// ln of its probability.
    pub logprob: f32,
}

/// How likely a token was in its place.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Score {
    /// The token that was given.
    pub id: u32,
    /// ln of its probability after all tokens before it.
    pub logprob: f32,
    /// The most likely tokens in its place, best first.
    pub top: Vec<TokenLogprob>,
}

impl<B: Backend> Engine<B> {
    /// Joins the parts of a loaded model. `stop_tokens` end the model's turn.
    pub fn new(model: Model<B>, tokenizer: Tokenizer, template: ChatTemplate, stop_tokens: Vec<u32>) -> Self {
        Self { model, tokenizer, template, stop_tokens, counters: ReplyCounters::default() }
    }

    /// The model: what it is, and the device that it is on.
    pub fn model(&self) -> &Model<B> {
        &self.model
    }

    /// The model, for those who work with tokens instead of texts.
    pub fn model_mut(&mut self) -> &mut Model<B> {
        &mut self.model
    }

    /// The tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// What the last reply asked of the device.
    pub fn counters(&self) -> ReplyCounters {
        self.counters
    }

    /// The prompt that the model's own template makes of a conversation, as text.
    ///
    /// # Errors
    /// Those of [`ChatTemplate::render`].
    pub fn prompt_text(&self, messages: &[Message]) -> Result<String> {
        Ok(self.template.render(messages, &TemplateOptions::default())?.text())
    }

    /// The same prompt as token ids.
    ///
    /// # Errors
    /// Those of [`ChatTemplate::render`].
    pub fn prompt_tokens(&self, messages: &[Message], options: &ChatOptions) -> Result<Vec<u32>> {
        // A text that can't fit is refused before it is copied and taken apart: that would cost many times its size.
        let content_bytes: usize = messages.iter().map(|message| message.content.len()).sum();
        let limit_bytes = self.model.config.dimensions.context * LONGEST_TOKEN_BYTES;
        if content_bytes > limit_bytes {
            return Err(Error::new(ErrorKind::ContextFull, "the conversation is longer than the context")
                .at("messages")
                .got(format!("{content_bytes} bytes"))
                .expected(format!(
                    "{} tokens, which are fewer than {limit_bytes} bytes",
                    self.model.config.dimensions.context
                )));
        }
        let options = TemplateOptions { enable_thinking: options.thinking, ..TemplateOptions::default() };
        self.tokenizer.encode_prompt(&self.template.render(messages, &options)?)
    }

    /// Answers a conversation. `on_text` gets the answer piece by piece, in whole characters; where an answer is cut
    /// within a character, that one is left out. `aborted` is asked before each pass over the prompt and before each
    /// token of the answer; an aborted answer ends with what there is so far.
    ///
    /// # Errors
    /// `context-full` for a conversation longer than the context, `invalid-argument` for options out of range, and
    /// what the device reports.
    pub async fn chat(
        &mut self,
        messages: &[Message],
        options: &ChatOptions,
        sampling: &Sampling,
        mut on_text: impl FnMut(&str),
        aborted: impl Fn() -> bool,
    ) -> Result<Reply> {
        let started = Instant::now();
        let counters_before = self.model.counters();
        let prompt = self.prompt_tokens(messages, options)?;
        if options.max_tokens == Some(0) {
            return Err(Error::new(ErrorKind::InvalidArgument, "an answer needs room")
                .at("maxTokens")
                .got(0)
                .expected("at least 1"));
        }

        let usage = Usage { prompt_tokens: prompt.len(), ..Usage::default() };
        let mut turn = Turn { answer: Answer::new(options.stop.clone()), usage, prefill: None, first_token_at: None };
        let finish_reason =
            match self.write_answer(&mut turn, &prompt, sampling, options.max_tokens, &mut on_text, aborted).await {
                Ok(finish_reason) => finish_reason,
                // While the prompt was being read.
                Err(error) if error.kind() == ErrorKind::Aborted => FinishReason::Abort,
                Err(error) => return Err(error),
            };
        let Turn { mut answer, usage, prefill, first_token_at } = turn;
        answer.finish(&mut on_text);

        let read_tokens = if first_token_at.is_some() { usage.prompt_tokens - usage.cached_tokens } else { 0 };
        let first_token_at = first_token_at.unwrap_or_else(Instant::now);
        let counters_then = prefill.unwrap_or_else(|| self.model.counters());
        self.counters.prefill = counters_then - counters_before;
        self.counters.decode = self.model.counters() - counters_then;
        let prefill_ms = first_token_at.duration_since(started).as_secs_f64() * 1000.0;
        let decode_ms = first_token_at.elapsed().as_secs_f64() * 1000.0;
        let per_second = |tokens: usize, ms: f64| if ms > 0.0 { tokens as f64 / ms * 1000.0 } else { 0.0 };
        let timings = Timings {
            prefill_ms,
            decode_ms,
            prefill_tokens_per_second: per_second(read_tokens, prefill_ms),
            decode_tokens_per_second: per_second(usage.completion_tokens.saturating_sub(1), decode_ms),
        };
        Ok(Reply { text: answer.text, thinking: String::new(), finish_reason, usage, timings })
    }

    /// Reads the prompt and writes the answer, token by token, into `turn`; returns why it ended.
    async fn write_answer(
        &mut self,
        turn: &mut Turn,
        prompt: &[u32],
        sampling: &Sampling,
        max_tokens: Option<usize>,
        on_text: &mut impl FnMut(&str),
        aborted: impl Fn() -> bool,
    ) -> Result<FinishReason> {
        let Self { model, tokenizer, stop_tokens, .. } = self;
        let (mut generator, cached) =
            Generator::start(model, prompt, sampling, tokenizer.len(), max_tokens, &aborted).await?;
        turn.usage.cached_tokens = cached;
        turn.prefill = Some(generator.counters());
        loop {
            if aborted() {
                return Ok(FinishReason::Abort);
            }
            let Some(token) = generator.next_token().await? else {
                return Ok(FinishReason::Length);
            };
            turn.first_token_at.get_or_insert_with(Instant::now);
            if stop_tokens.contains(&token) {
                return Ok(FinishReason::Stop);
            }
            turn.usage.completion_tokens += 1;
            // A control token that doesn't end the turn is structure, not text.
            if !tokenizer.is_control(token) && turn.answer.push(&tokenizer.token_bytes(token)?, on_text) {
                return Ok(FinishReason::Stop);
            }
        }
    }

    /// Teacher forcing: how likely each token of `ids` from position `from` (at least 1) on was after all before it,
    /// with the `top_k` most likely tokens in its place.
    ///
    /// # Errors
    /// `context-full` for more tokens than the context, `invalid-argument` for a `from` outside `ids`, an id outside the
    /// vocabulary or a `top_k` over [`MAX_SCORE_TOP_K`], `aborted` when `aborted` says so between passes, and what the
    /// device reports.
    pub async fn score(
        &mut self,
        ids: &[u32],
        from: usize,
        top_k: usize,
        aborted: impl Fn() -> bool,
    ) -> Result<Vec<Score>> {
        if top_k > MAX_SCORE_TOP_K {
            return Err(Error::new(ErrorKind::InvalidArgument, "these are too many alternatives")
                .at("topK")
                .got(top_k)
                .expected(format!("at most {MAX_SCORE_TOP_K}")));
        }
        if from == 0 || from >= ids.len() {
            return Err(Error::new(ErrorKind::InvalidArgument, "there is nothing to score from this position on")
                .at("from")
                .got(from)
                .expected(format!("1 to {}", ids.len().saturating_sub(1))));
        }
        if let Some(id) = ids.iter().find(|&&id| id as usize >= self.tokenizer.len()) {
            return Err(Error::new(ErrorKind::InvalidArgument, "a token is not in the vocabulary")
                .at("ids")
                .got(id)
                .expected(format!("less than {}", self.tokenizer.len())));
        }
        let capacity = self.model.cache().capacity();
        if ids.len() - 1 > capacity {
            return Err(Error::new(ErrorKind::ContextFull, "there are more tokens than the context holds")
                .got(format!("{} tokens", ids.len()))
                .expected(format!("at most {}", capacity + 1)));
        }
        // The logits after position `from - 1` are the first that are wanted.
        let first = from - 1;
        if first > 0 {
            prefill(&mut self.model, &ids[..first], &aborted).await?;
        }
        self.model.cache().truncate(first);

        self.model.reserve(ids.len() - 1).await?;
        let mut scores = Vec::with_capacity(ids.len() - from);
        let mut position = first;
        for pass in ids[first..ids.len() - 1].chunks(MAX_PASS_TOKENS) {
            if aborted() {
                return Err(Error::new(ErrorKind::Aborted, "the caller aborted the scoring"));
            }
            self.model.forward(pass)?;
            for first_row in (0..pass.len()).step_by(MAX_LOGIT_ROWS) {
                let rows = MAX_LOGIT_ROWS.min(pass.len() - first_row);
                let logits = self.model.logits(first_row, rows).await?;
                for row in logits.chunks(logits.len() / rows) {
                    position += 1;
                    scores.push(score_token(ids[position], &log_probabilities(row), top_k));
                }
            }
        }
        Ok(scores)
    }
}

fn score_token(id: u32, logprobs: &[f32], top_k: usize) -> Score {
    let logprob_of = |id: u32| TokenLogprob { id, logprob: logprobs[id as usize] };
    let by_likelihood = |a: &u32, b: &u32| logprobs[*b as usize].total_cmp(&logprobs[*a as usize]).then(a.cmp(b));
    let mut order: Vec<u32> = (0..logprobs.len() as u32).collect();
    let kept = top_k.min(order.len());
    if kept > 0 && kept < order.len() {
        order.select_nth_unstable_by(kept - 1, by_likelihood);
    }
    order.truncate(kept);
    order.sort_unstable_by(by_likelihood);
    Score { id, logprob: logprob_of(id).logprob, top: order.into_iter().map(logprob_of).collect() }
}

/// An answer that is being written.
struct Turn {
    answer: Answer,
    usage: Usage,
    /// What had been asked of the device when the prompt, and all for the first token, had been handed over.
    prefill: Option<Counters>,
    /// When the first token came.
    first_token_at: Option<Instant>,
}

/// The text of an answer as it grows.
struct Answer {
    text: String,
    characters: TextStream,
    stop_strings: StopStrings,
}

impl Answer {
    fn new(stop: Vec<String>) -> Self {
        Self { text: String::new(), characters: TextStream::new(), stop_strings: StopStrings::new(stop) }
    }

    /// Takes the bytes of a token; returns whether a stop string occurred.
    fn push(&mut self, bytes: &[u8], on_text: &mut impl FnMut(&str)) -> bool {
        let characters = self.characters.push(bytes);
        let (shown, stop) = self.stop_strings.push(&characters);
        self.show(&shown, on_text);
        stop
    }

    /// Shows what was held back when nothing more comes.
    fn finish(&mut self, on_text: &mut impl FnMut(&str)) {
        let held_back = std::mem::take(&mut self.stop_strings).finish();
        self.show(&held_back, on_text);
    }

    fn show(&mut self, text: &str, on_text: &mut impl FnMut(&str)) {
        if !text.is_empty() {
            self.text.push_str(text);
            on_text(text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_is_cut_within_a_character_ends_before_it() {
        let wave = "\u{1f44b}".as_bytes();
        let cases = [
            ("whole characters", "", [b"a", wave], "a\u{1f44b}"),
            ("half a character", "", [b"a", &wave[..2]], "a"),
            ("half a character after a stop string", "b", [b"ab", &wave[..2]], "a"),
            ("half a stop string", "bc", [b"a", b"b"], "ab"),
        ];
        for (name, stop, tokens, expected) in cases {
            let mut shown = String::new();
            let mut on_text = |text: &str| shown.push_str(text);
            let mut answer = Answer::new(vec![stop.to_string()]);
            for token in tokens {
                if answer.push(token, &mut on_text) {
                    break;
                }
            }
            answer.finish(&mut on_text);
            assert_eq!(answer.text, expected, "{name}");
            assert_eq!(shown, expected, "{name}");
        }
    }
}
