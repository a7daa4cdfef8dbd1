//! A reply as it grows: what of it is known, shown and counted.

use web_time::Instant;

use super::{ChatOptions, FinishReason, FittedPrompt, Reply, Timings, TokenLogprobs, Usage};
use crate::error::Result;
use crate::generate::StopStrings;
use crate::sampling::Sampling;
use crate::text::{Piece, ReplyStream, Tokenizer};

/// A reply that is being written.
pub(super) struct Turn {
    answer: Answer,
    pub(super) usage: Usage,
    max_tokens: Option<usize>,
    min_tokens: usize,
    thinking_budget: Option<usize>,
    top_logprobs: usize,
    /// Where they are wanted.
    logprobs: Option<Vec<TokenLogprobs>>,
    /// When the work on the prompt began.
    pub(super) started: Instant,
    /// When the first token came.
    first_token_at: Option<Instant>,
}

impl Turn {
    /// A turn to be taken after `prompt`, whose reply is read by `stream`.
    ///
    /// # Errors
    /// `invalid-argument` for options out of range.
    pub(super) fn new(
        prompt: &FittedPrompt,
        stream: ReplyStream,
        options: &ChatOptions,
        sampling: &Sampling,
    ) -> Result<Self> {
        options.check(sampling)?;
        Ok(Self {
            answer: Answer::new(stream, options.stop.clone())?,
            usage: Usage {
                prompt_tokens: prompt.tokens.len(),
                dropped_messages: prompt.dropped_messages,
                ..Usage::default()
            },
            max_tokens: options.max_tokens,
            min_tokens: sampling.min_tokens,
            thinking_budget: options.thinking_budget,
            top_logprobs: options.top_logprobs,
            logprobs: sampling.logprobs.then(Vec::new),
            started: prompt.started,
            first_token_at: None,
        })
    }

    /// How many tokens may still come.
    pub(super) fn remaining_tokens(&self) -> Option<usize> {
        self.max_tokens.map(|max_tokens| max_tokens - self.usage.completion_tokens)
    }

    /// Whether the next token may end the reply.
    pub(super) fn may_end(&self) -> bool {
        self.usage.completion_tokens >= self.min_tokens
    }

    /// Whether the model still thinks, and shall no more.
    pub(super) fn has_thought_enough(&self) -> bool {
        self.answer.stream.is_thinking()
            && self.thinking_budget.is_some_and(|budget| self.usage.thinking_tokens >= budget)
    }

    /// The tokens that end the thinking. They are to be added to the reply by [`add`](Self::add).
    pub(super) fn tokens_to_end_thinking(&self, tokenizer: &Tokenizer) -> Result<Vec<u32>> {
        self.answer.stream.tokens_to_end_thinking(tokenizer)
    }

    /// Adds a token that the model didn't choose, and that counts nowhere.
    pub(super) fn add(&mut self, token: u32, tokenizer: &Tokenizer, on_piece: &mut impl FnMut(&Piece)) -> Result<()> {
        self.answer.push(token, false, tokenizer, on_piece)?;
        Ok(())
    }

    /// Takes the next token; returns why the reply ends with it, if it does. `logprobs` are those of all tokens in its
    /// place, where they are wanted.
    pub(super) fn take(
        &mut self,
        token: u32,
        logprobs: Option<&[f32]>,
        tokenizer: &Tokenizer,
        stop_tokens: &[u32],
        on_piece: &mut impl FnMut(&Piece),
    ) -> Result<Option<FinishReason>> {
        self.first_token_at.get_or_insert_with(Instant::now);
        if stop_tokens.contains(&token) {
            return Ok(Some(FinishReason::Stop));
        }
        if let (Some(all), Some(logprobs)) = (&mut self.logprobs, logprobs) {
            all.push(TokenLogprobs::new(token, logprobs, self.top_logprobs, tokenizer)?);
        }
        let may_end = self.may_end();
        let was_thinking = self.answer.stream.is_thinking();
        let stops = self.answer.push(token, may_end, tokenizer, on_piece)?;
        self.usage.completion_tokens += 1;
        // Neither tag counts.
        self.usage.thinking_tokens += usize::from(was_thinking && self.answer.stream.is_thinking());
        Ok(stops.then_some(FinishReason::Stop))
    }

    /// The whole reply; shows what was held back.
    pub(super) fn finish(mut self, finish_reason: FinishReason, on_piece: &mut impl FnMut(&Piece)) -> Reply {
        self.answer.finish(on_piece);
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
        let Piece { thinking, text } = answer.shown;
        Reply { text, thinking, finish_reason, logprobs, usage, timings }
    }
}

/// What a reply says.
struct Answer {
    /// What was thought and said so far.
    shown: Piece,
    stream: ReplyStream,
    /// They end the answer; thoughts may hold them.
    stop_strings: StopStrings,
}

impl Answer {
    fn new(stream: ReplyStream, stop: Vec<String>) -> Result<Self> {
        Ok(Self { shown: Piece::default(), stream, stop_strings: StopStrings::new(stop)? })
    }

    /// Takes a token; returns whether a stop string occurred. Until the answer `may_end`, none does.
    fn push(
        &mut self,
        token: u32,
        may_end: bool,
        tokenizer: &Tokenizer,
        on_piece: &mut impl FnMut(&Piece),
    ) -> Result<bool> {
        let piece = self.stream.push(token, tokenizer)?;
        if !may_end {
            self.show(piece, on_piece);
            return Ok(false);
        }
        let Piece { thinking, text } = piece;
        let (text, stop) = self.stop_strings.push(&text);
        self.show(Piece { thinking, text }, on_piece);
        Ok(stop)
    }

    /// Shows what was held back when nothing more comes.
    fn finish(&mut self, on_piece: &mut impl FnMut(&Piece)) {
        let Piece { thinking, text } = self.stream.finish();
        let (mut text, stop) = self.stop_strings.push(&text);
        if !stop {
            text += &std::mem::take(&mut self.stop_strings).finish();
        }
        self.show(Piece { thinking, text }, on_piece);
    }

    fn show(&mut self, piece: Piece, on_piece: &mut impl FnMut(&Piece)) {
        if piece != Piece::default() {
            self.shown.thinking.push_str(&piece.thinking);
            self.shown.text.push_str(&piece.text);
            on_piece(&piece);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::{ChatTemplate, Message, Role, TemplateOptions, Vocabulary};

    /// A vocabulary of bytes: GPT-2's alphabet, of which `ðŁĳĭ` is a waving hand.
    fn tokenizer() -> Tokenizer {
        let printable = ('!'..='~').chain('¡'..='¬').chain('®'..='ÿ');
        let mut tokens: Vec<String> = printable.chain('\u{100}'..='\u{143}').map(String::from).collect();
        tokens.push("ab".to_string());
        let token_types = vec![1; tokens.len()];
        let merges = vec!["a b".to_string()];
        Tokenizer::new(Vocabulary { tokens, merges, token_types, pre_tokenizer: "qwen2".to_string() })
            .expect("the vocabulary is good")
    }

    #[test]
    fn an_answer_that_is_cut_within_a_character_ends_before_it() {
        let tokenizer = tokenizer();
        let ids = |text: &str| tokenizer.encode(text, false).expect("text has tokens");
        let wave = ids("\u{1f44b}");
        assert_eq!(wave.len(), 4);
        let cases = [
            ("whole characters", "x", [ids("a"), wave.clone()].concat(), "a\u{1f44b}"),
            ("half a character", "x", [ids("a"), wave[..2].to_vec()].concat(), "a"),
            ("half a character after a stop string", "b", [ids("ab"), wave[..2].to_vec()].concat(), "a"),
            ("half a stop string", "bc", ids("a b").into_iter().chain(ids("b")).collect(), "a bb"),
        ];
        let template = ChatTemplate::new("{{ messages[0].content }}", tokenizer.special_tokens(), None, None)
            .expect("the template is good");
        let prompt = template.render(&[Message::new(Role::User, "x")], &TemplateOptions::default());
        let prompt = prompt.expect("the template is good");
        for (name, stop, tokens, expected) in cases {
            let mut shown = String::new();
            let mut on_piece = |piece: &Piece| shown.push_str(&piece.text);
            let stream = ReplyStream::new(&tokenizer, &template, &prompt);
            let mut answer = Answer::new(stream, vec![stop.to_string()]).expect("a stop string");
            for token in tokens {
                if answer.push(token, true, &tokenizer, &mut on_piece).expect("the token exists") {
                    break;
                }
            }
            answer.finish(&mut on_piece);
            assert_eq!(answer.shown, Piece { thinking: String::new(), text: expected.to_string() }, "{name}");
            assert_eq!(shown, expected, "{name}");
        }
    }
}
