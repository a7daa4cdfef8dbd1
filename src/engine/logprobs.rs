//! How likely the model found the tokens of an answer.

use serde::Serialize;

use super::score::{Score, TokenLogprob, score_token};
use crate::error::Result;
use crate::text::Tokenizer;

/// The most alternatives that an answer gives for each of its tokens.
pub const MAX_TOP_LOGPROBS: usize = 20;

/// A token as text, and the natural logarithm of its probability.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TextLogprob {
    /// The token.
    pub id: u32,
    /// Its text; U+FFFD stands for bytes that are only part of a character.
    pub text: String,
    /// ln of its probability.
    pub logprob: f32,
}

/// How likely the model found a token of its answer, by its own distribution: before logit bias, penalties, temperature and
/// whatever else leads to the choice.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TokenLogprobs {
    /// The token that was chosen.
    #[serde(flatten)]
    pub token: TextLogprob,
    /// The most likely tokens in its place, best first.
    pub top: Vec<TextLogprob>,
}

impl TokenLogprobs {
    /// How likely token `id` was by `logprobs` of all tokens, and the `top` most likely ones.
    ///
    /// # Errors
    /// `invalid-argument` for a token outside the vocabulary.
    pub(super) fn new(id: u32, logprobs: &[f32], top: usize, tokenizer: &Tokenizer) -> Result<Self> {
        let with_text = |TokenLogprob { id, logprob }| Ok(TextLogprob { id, text: tokenizer.decode(&[id])?, logprob });
        let Score { id, logprob, top } = score_token(id, logprobs, top);
        Ok(Self {
            token: with_text(TokenLogprob { id, logprob })?,
            top: top.into_iter().map(with_text).collect::<Result<_>>()?,
        })
    }
}
