//! How likely given tokens are.

use serde::Serialize;

use super::Engine;
use crate::backend::{Backend, MAX_LOGIT_ROWS, MAX_PASS_TOKENS};
use crate::error::{Error, ErrorKind, Result};
use crate::generate::{log_probabilities, prefill};
use crate::model::Wanted;

/// The most alternatives that [`Engine::score`] gives for a position.
pub const MAX_SCORE_TOP_K: usize = 1000;

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
            self.model.forward(pass, Wanted::All)?;
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

/// How likely token `id` was by `logprobs`, and the `top_k` most likely ones; of equally likely ones the first.
pub(super) fn score_token(id: u32, logprobs: &[f32], top_k: usize) -> Score {
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
