//! What a loaded model can do: chat, tokenize, score.

mod batch;
mod fitted_prompt;
mod logprobs;
mod score;

use serde::{Deserialize, Serialize};
use web_time::Instant;

pub use self::batch::{BATCH_MAX_TOKENS, BatchItem};
pub use self::fitted_prompt::{ContextPolicy, FittedPrompt};
pub use self::logprobs::{MAX_TOP_LOGPROBS, TextLogprob, TokenLogprobs};
pub use self::score::{MAX_SCORE_TOP_K, Score, TokenLogprob};
use crate::backend::{Backend, Counters};
use crate::error::{Error, ErrorKind, Result};
use crate::generate::{Generator, StopStrings};
use crate::model::Model;
use crate::sampling::Sampling;
use crate::text::{ChatTemplate, Message, TemplateOptions, TextStream, Tokenizer};

/// More bytes than any token of a Qwen stands for; its longest are runs of 128 spaces.
const LONGEST_TOKEN_BYTES: usize = 256;

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
    /// How many of the most likely tokens are wanted beside each token, where its log-probability is
    /// ([`Sampling::logprobs`]): up to [`MAX_TOP_LOGPROBS`], default 0.
    pub top_logprobs: usize,
    /// What happens to a conversation that is too long for the context. Default: it is refused.
    pub context_policy: ContextPolicy,
}

impl ChatOptions {
    /// Checks every option's range, with the `sampling` that goes with them.
    ///
    /// # Errors
    /// `invalid-argument`, naming the option.
    fn check(&self, sampling: &Sampling) -> Result<()> {
        let wrong = |what, name, got: usize, expected: String| {
            Err(Error::new(ErrorKind::InvalidArgument, what).at(name).got(got).expected(expected))
        };
        match self {
            Self { max_tokens: Some(0), .. } => wrong("an answer needs room", "maxTokens", 0, "at least 1".to_string()),
            Self { max_tokens: Some(max_tokens), .. } if sampling.min_tokens > *max_tokens => wrong(
                "an answer can't be longer than its most tokens",
                "minTokens",
                sampling.min_tokens,
                format!("at most maxTokens, {max_tokens}"),
            ),
            Self { top_logprobs: top @ 1.., .. } if !sampling.logprobs => {
                wrong("log-probabilities were not asked for", "topLogprobs", *top, "0, or logprobs: true".to_string())
            }
            Self { top_logprobs: top, .. } if *top > MAX_TOP_LOGPROBS => {
                wrong("these are too many alternatives", "topLogprobs", *top, format!("at most {MAX_TOP_LOGPROBS}"))
            }
            _ => Ok(()),
        }
    }
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
    /// How likely the model found each of the answer's tokens, `completion_tokens` of them, where
    /// [`Sampling::logprobs`] asks for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logprobs: Option<Vec<TokenLogprobs>>,
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
    /// Messages that were left out because the conversation was too long for the context.
    pub dropped_messages: usize,
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

    /// Answers a conversation: [`fit_prompt`](Self::fit_prompt), then [`answer`](Self::answer).
    ///
    /// # Errors
    /// Those of both.
    pub async fn chat(
        &mut self,
        messages: &[Message],
        options: &ChatOptions,
        sampling: &Sampling,
        on_text: impl FnMut(&str),
        aborted: impl Fn() -> bool,
    ) -> Result<Reply> {
        let prompt = self.fit_prompt(messages, options)?;
        self.answer(&prompt, options, sampling, on_text, aborted).await
    }

    /// Answers a prompt. `on_text` gets the answer piece by piece, in whole characters; where an answer is cut
    /// within a character, that one is left out. `aborted` is asked before each pass over the prompt and before each
    /// token of the answer; an aborted answer ends with what there is so far.
    ///
    /// # Errors
    /// `context-full` for a prompt longer than the context, `invalid-argument` for options out of range, and
    /// what the device reports.
    pub async fn answer(
        &mut self,
        prompt: &FittedPrompt,
        options: &ChatOptions,
        sampling: &Sampling,
        mut on_text: impl FnMut(&str),
        aborted: impl Fn() -> bool,
    ) -> Result<Reply> {
        let counters_before = self.model.counters();
        let mut turn = Turn::new(prompt, options, sampling)?;
        let mut prefill = None;
        let written = self.write_answer(&mut turn, prompt, sampling, &mut prefill, &mut on_text, aborted).await;
        let finish_reason = match written {
            Ok(finish_reason) => finish_reason,
            // While the prompt was being read.
            Err(error) if error.kind() == ErrorKind::Aborted => FinishReason::Abort,
            Err(error) => return Err(error),
        };
        let counters_then = prefill.unwrap_or_else(|| self.model.counters());
        self.counters.prefill = counters_then - counters_before;
        self.counters.decode = self.model.counters() - counters_then;
        Ok(turn.finish(finish_reason, &mut on_text))
    }

    /// Reads the prompt and writes the answer, token by token, into `turn`; returns why it ended. `prefill` becomes what had
    /// been asked of the device when the prompt, and all for the first token, had been handed over.
    async fn write_answer(
        &mut self,
        turn: &mut Turn,
        prompt: &FittedPrompt,
        sampling: &Sampling,
        prefill: &mut Option<Counters>,
        on_text: &mut impl FnMut(&str),
        aborted: impl Fn() -> bool,
    ) -> Result<FinishReason> {
        let Self { model, tokenizer, stop_tokens, .. } = self;
        let (mut generator, cached) =
            Generator::start(model, &prompt.tokens, sampling, tokenizer.len(), turn.max_tokens, &aborted).await?;
        turn.usage.cached_tokens = cached;
        *prefill = Some(generator.counters());
        loop {
            if aborted() {
                return Ok(FinishReason::Abort);
            }
            let banned = if turn.may_end() { &[][..] } else { &stop_tokens[..] };
            let Some(token) = generator.next_token_except(banned).await? else {
                return Ok(FinishReason::Length);
            };
            if let Some(finish_reason) = turn.take(token, generator.logprobs(), tokenizer, stop_tokens, on_text)? {
                return Ok(finish_reason);
            }
        }
    }
}

/// An answer that is being written.
struct Turn {
    answer: Answer,
    usage: Usage,
    max_tokens: Option<usize>,
    min_tokens: usize,
    top_logprobs: usize,
    /// Where they are wanted.
    logprobs: Option<Vec<TokenLogprobs>>,
    /// When the work on the prompt began.
    started: Instant,
    /// When the first token came.
    first_token_at: Option<Instant>,
}

impl Turn {
    fn new(prompt: &FittedPrompt, options: &ChatOptions, sampling: &Sampling) -> Result<Self> {
        options.check(sampling)?;
        Ok(Self {
            answer: Answer::new(options.stop.clone())?,
            usage: Usage {
                prompt_tokens: prompt.tokens.len(),
                dropped_messages: prompt.dropped_messages,
                ..Usage::default()
            },
            max_tokens: options.max_tokens,
            min_tokens: sampling.min_tokens,
            top_logprobs: options.top_logprobs,
            logprobs: sampling.logprobs.then(Vec::new),
            started: prompt.started,
            first_token_at: None,
        })
    }

    /// Whether the next token may end the answer.
    fn may_end(&self) -> bool {
        self.usage.completion_tokens >= self.min_tokens
    }

    /// Takes the next token; returns why the answer ends with it, if it does. `logprobs` are those of all tokens in its
    /// place, where they are wanted.
    fn take(
        &mut self,
        token: u32,
        logprobs: Option<&[f32]>,
        tokenizer: &Tokenizer,
        stop_tokens: &[u32],
        on_text: &mut impl FnMut(&str),
    ) -> Result<Option<FinishReason>> {
        self.first_token_at.get_or_insert_with(Instant::now);
        if stop_tokens.contains(&token) {
            return Ok(Some(FinishReason::Stop));
        }
        if let (Some(all), Some(logprobs)) = (&mut self.logprobs, logprobs) {
            all.push(TokenLogprobs::new(token, logprobs, self.top_logprobs, tokenizer)?);
        }
        let may_end = self.may_end();
        self.usage.completion_tokens += 1;
        // A control token that doesn't end the turn is structure, not text.
        let stops = !tokenizer.is_control(token) && self.answer.push(&tokenizer.token_bytes(token)?, may_end, on_text);
        Ok(stops.then_some(FinishReason::Stop))
    }

    /// The whole answer; shows what was held back.
    fn finish(mut self, finish_reason: FinishReason, on_text: &mut impl FnMut(&str)) -> Reply {
        self.answer.finish(on_text);
        let Self { answer, usage, logprobs, started, first_token_at, .. } = self;
        let read_tokens = if first_token_at.is_some() { usage.prompt_tokens - usage.cached_tokens } else { 0 };
        let first_token_at = first_token_at.unwrap_or_else(Instant::now);
        let prefill_ms = first_token_at.duration_since(started).as_secs_f64() * 1000.0;
        let decode_ms = first_token_at.elapsed().as_secs_f64() * 1000.0;
        let per_second = |tokens: usize, ms: f64| if ms > 0.0 { tokens as f64 / ms * 1000.0 } else { 0.0 };
        let timings = Timings {
            prefill_ms,
            decode_ms,
            prefill_tokens_per_second: per_second(read_tokens, prefill_ms),
            decode_tokens_per_second: per_second(usage.completion_tokens.saturating_sub(1), decode_ms),
        };
        Reply { text: answer.text, thinking: String::new(), finish_reason, logprobs, usage, timings }
    }
}

/// The text of an answer as it grows.
struct Answer {
    text: String,
    characters: TextStream,
    stop_strings: StopStrings,
}

impl Answer {
    fn new(stop: Vec<String>) -> Result<Self> {
        Ok(Self { text: String::new(), characters: TextStream::new(), stop_strings: StopStrings::new(stop)? })
    }

    /// Takes the bytes of a token; returns whether a stop string occurred. Until the answer `may_end`, none does.
    fn push(&mut self, bytes: &[u8], may_end: bool, on_text: &mut impl FnMut(&str)) -> bool {
        let characters = self.characters.push(bytes);
        if !may_end {
            self.show(&characters, on_text);
            return false;
        }
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
            ("whole characters", "x", [b"a", wave], "a\u{1f44b}"),
            ("half a character", "x", [b"a", &wave[..2]], "a"),
            ("half a character after a stop string", "b", [b"ab", &wave[..2]], "a"),
            ("half a stop string", "bc", [b"a", b"b"], "ab"),
        ];
        for (name, stop, tokens, expected) in cases {
            let mut shown = String::new();
            let mut on_text = |text: &str| shown.push_str(text);
            let mut answer = Answer::new(vec![stop.to_string()]).unwrap();
            for token in tokens {
                if answer.push(token, true, &mut on_text) {
                    break;
                }
            }
            answer.finish(&mut on_text);
            assert_eq!(answer.text, expected, "{name}");
            assert_eq!(shown, expected, "{name}");
        }
    }
}
