//! What a loaded model can do: chat, tokenize, score.

mod batch;
mod fitted_prompt;
mod logprobs;
mod score;
mod turn;

pub use self::batch::{BATCH_MAX_TOKENS, BatchItem};
pub use self::fitted_prompt::{ContextPolicy, FittedPrompt};
pub use self::logprobs::{MAX_TOP_LOGPROBS, TextLogprob, TokenLogprobs};
pub use self::score::{MAX_SCORE_TOP_K, Score, TokenLogprob};
use self::turn::Turn;
use crate::backend::{Backend, Counters};
use crate::error::{Error, ErrorKind, Result};
use crate::generate::Generator;
use crate::model::Model;
use crate::sampling::Sampling;
use crate::text::{ChatTemplate, Message, Piece, Prompt, ReplyStream, TemplateOptions, Tokenizer, texts_of};
use serde::{Deserialize, Serialize};

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
    /// The most tokens to think before the answer; then the thinking is ended. Default: `max_tokens` alone.
    pub thinking_budget: Option<usize>,
    /// The functions that the model may call, each as `{ type: "function", function: { name, description, parameters } }`.
    pub tools: Vec<serde_json::Value>,
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
    /// Tokens written, thinking and answer, the one that ended them not counted.
    pub completion_tokens: usize,
    /// How many of them were thoughts; `<think>` and `</think>` are none, where they are tokens.
    pub thinking_tokens: usize,
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
        Ok(self.encoded_prompt(messages, options)?.1)
    }

    /// Whether the model thinks before it answers, with this value of [`ChatOptions::thinking`].
    pub fn thinks(&self, thinking: Option<bool>) -> bool {
        self.template.thinks(thinking)
    }

    /// Whether the model's template has a place for [`ChatOptions::tools`].
    pub fn takes_tools(&self) -> bool {
        self.template.takes_tools()
    }

    /// The prompt of a conversation, and its tokens.
    fn encoded_prompt(&self, messages: &[Message], options: &ChatOptions) -> Result<(Prompt, Vec<u32>)> {
        let prompt = self.prompt(messages, options)?;
        let tokens = self.tokenizer.encode_prompt(&prompt)?;
        Ok((prompt, tokens))
    }

    fn prompt(&self, messages: &[Message], options: &ChatOptions) -> Result<Prompt> {
        // A text that can't fit is refused before it is copied and taken apart: that would cost many times its size.
        let texts = messages.iter().flat_map(Message::texts).chain(options.tools.iter().flat_map(texts_of));
        let content_bytes: usize = texts.map(str::len).sum();
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
        let options =
            TemplateOptions { tools: &options.tools, enable_thinking: options.thinking, ..TemplateOptions::default() };
        self.template.render(messages, &options)
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
        on_piece: impl FnMut(&Piece),
        aborted: impl Fn() -> bool,
    ) -> Result<Reply> {
        let prompt = self.fit_prompt(messages, options)?;
        self.answer(prompt, options, sampling, on_piece, aborted).await
    }

    /// Answers a prompt. `on_piece` gets thoughts and answer piece by piece, in whole characters; where an answer is cut
    /// within a character, that one is left out. `aborted` is asked before each pass over the prompt and before each
    /// token of the answer; an aborted answer ends with what there is so far.
    ///
    /// # Errors
    /// `context-full` for a prompt longer than the context, `invalid-argument` for options out of range, and
    /// what the device reports.
    pub async fn answer(
        &mut self,
        prompt: FittedPrompt,
        options: &ChatOptions,
        sampling: &Sampling,
        mut on_piece: impl FnMut(&Piece),
        aborted: impl Fn() -> bool,
    ) -> Result<Reply> {
        let counters_before = self.model.counters();
        let mut turn = self.begin_turn(&prompt, options, sampling)?;
        let mut prefill = None;
        let written = self.write_answer(&mut turn, prompt.tokens, sampling, &mut prefill, &mut on_piece, aborted).await;
        let finish_reason = match written {
            Ok(finish_reason) => finish_reason,
            // While the prompt was being read.
            Err(error) if error.kind() == ErrorKind::Aborted => FinishReason::Abort,
            Err(error) => return Err(error),
        };
        let counters_then = prefill.unwrap_or_else(|| self.model.counters());
        self.counters.prefill = counters_then - counters_before;
        self.counters.decode = self.model.counters() - counters_then;
        Ok(turn.finish(finish_reason, &mut on_piece))
    }

    fn begin_turn(&self, prompt: &FittedPrompt, options: &ChatOptions, sampling: &Sampling) -> Result<Turn> {
        let stream = ReplyStream::new(&self.tokenizer, &self.template, &prompt.prompt);
        Turn::new(prompt, stream, options, sampling)
    }

    /// Reads the prompt and writes the answer, token by token, into `turn`; returns why it ended. `prefill` becomes what had
    /// been asked of the device when the prompt, and all for the first token, had been handed over. Thinking that has used
    /// up its budget is ended in between: what was written so far, and the words that end it, are a prompt to go on from.
    async fn write_answer(
        &mut self,
        turn: &mut Turn,
        prompt: Vec<u32>,
        sampling: &Sampling,
        prefill: &mut Option<Counters>,
        on_piece: &mut impl FnMut(&Piece),
        aborted: impl Fn() -> bool,
    ) -> Result<FinishReason> {
        let mut tokens = prompt;
        loop {
            if turn.has_thought_enough() {
                let ending = turn.tokens_to_end_thinking(&self.tokenizer)?;
                let is_full = tokens.len() + ending.len() > self.model.cache().capacity();
                if is_full || turn.remaining_tokens() == Some(0) {
                    return Ok(FinishReason::Length);
                }
                for &token in &ending {
                    turn.add(token, &self.tokenizer, on_piece)?;
                }
                tokens.extend(ending);
            }
            if let Some(reason) = self.write_tokens(turn, &mut tokens, sampling, prefill, on_piece, &aborted).await? {
                return Ok(reason);
            }
        }
    }

    /// Goes on from `tokens`, adding to them, until the reply ends or its thinking has used up its budget.
    async fn write_tokens(
        &mut self,
        turn: &mut Turn,
        tokens: &mut Vec<u32>,
        sampling: &Sampling,
        prefill: &mut Option<Counters>,
        on_piece: &mut impl FnMut(&Piece),
        aborted: impl Fn() -> bool,
    ) -> Result<Option<FinishReason>> {
        let Self { model, tokenizer, stop_tokens, .. } = self;
        // The draws of an answer begin anew with each generator: other ones than those of the thoughts.
        let seed = sampling.seed.wrapping_add(turn.usage.completion_tokens as u64);
        let sampling = &Sampling { seed, ..sampling.clone() };
        let (mut generator, cached) =
            Generator::start(model, tokens, sampling, tokenizer.len(), turn.remaining_tokens(), &aborted).await?;
        if prefill.is_none() {
            // Thinking may have been ended before it began, and that may be in the cache, too.
            turn.usage.cached_tokens = cached.min(turn.usage.prompt_tokens);
            *prefill = Some(generator.counters());
        }
        loop {
            if aborted() {
                return Ok(Some(FinishReason::Abort));
            }
            let banned = if turn.may_end() { &[][..] } else { &stop_tokens[..] };
            let Some(token) = generator.next_token_except(banned).await? else {
                return Ok(Some(FinishReason::Length));
            };
            tokens.push(token);
            let end = turn.take(token, generator.logprobs(), tokenizer, stop_tokens, on_piece)?;
            if end.is_some() || turn.has_thought_enough() {
                return Ok(end);
            }
        }
    }
}
