//! The token loop.

use super::Sampler;
use crate::backend::{Backend, Counters, MAX_PASS_TOKENS};
use crate::error::{Error, ErrorKind, Result};
use crate::model::Model;

/// Makes the KV cache hold exactly `tokens`: keeps what it shares with them at the start, and computes the rest in
/// passes. Afterwards the logits of the last token can be asked for.
///
/// Returns how many tokens were in the cache already.
///
/// # Errors
/// `context-full` before anything is changed, `invalid-argument` for no tokens or one outside the vocabulary,
/// `aborted` between passes, and what the device reports.
pub async fn prefill<B: Backend>(model: &mut Model<B>, tokens: &[u32], aborted: impl Fn() -> bool) -> Result<usize> {
    let vocabulary = model.config.dimensions.vocabulary;
    if let Some(token) = tokens.iter().find(|&&token| token as usize >= vocabulary) {
        return Err(Error::new(ErrorKind::InvalidArgument, "a token is not in the vocabulary")
            .got(token)
            .expected(format!("less than {vocabulary}")));
    }
    if tokens.is_empty() {
        return Err(Error::new(ErrorKind::InvalidArgument, "there are no tokens to compute"));
    }
    let capacity = model.cache().capacity();
    if tokens.len() > capacity {
        return Err(Error::new(ErrorKind::ContextFull, "the prompt is longer than the context")
            .got(format!("{} tokens", tokens.len()))
            .expected(format!("at most {capacity}")));
    }
    // The last token is always computed, because its logits are wanted.
    let cached = model.cache().common_prefix(tokens).min(tokens.len() - 1);
    model.cache().truncate(cached);
    for pass in tokens[cached..].chunks(MAX_PASS_TOKENS) {
        if aborted() {
            return Err(Error::new(ErrorKind::Aborted, "the caller aborted while the prompt was being read"));
        }
        model.forward(pass)?;
        model.wait().await?;
    }
    Ok(cached)
}

/// A stream of tokens that continue what the model's cache holds.
pub struct Generator<'a, B: Backend> {
    model: &'a mut Model<B>,
    sampler: Sampler,
    /// Tokens that can be chosen: the vocabulary without the rows that pad the head.
    choices: usize,
    /// The row of the last pass whose logits come next.
    last_row: usize,
}

impl<'a, B: Backend> Generator<'a, B> {
    /// Reads `prompt`, as [`prefill`] does, and gives a generator of what follows, with the number of tokens that
    /// were in the cache already. It chooses among the first `choices` tokens.
    ///
    /// # Errors
    /// Those of [`prefill`].
    pub async fn start(
        model: &'a mut Model<B>,
        prompt: &[u32],
        sampler: Sampler,
        choices: usize,
        aborted: impl Fn() -> bool,
    ) -> Result<(Self, usize)> {
        let cached = prefill(model, prompt, aborted).await?;
        let last_row = (prompt.len() - cached - 1) % MAX_PASS_TOKENS;
        Ok((Self { model, sampler, choices, last_row }, cached))
    }

    /// Chooses the next token. It is computed only by [`advance`](Self::advance): a last token needs none.
    ///
    /// # Errors
    /// What the device reports.
    pub async fn next_token(&mut self) -> Result<u32> {
        let mut logits = self.model.logits(self.last_row, 1).await?;
        logits.truncate(self.choices);
        Ok(self.sampler.sample(&mut logits))
    }

    /// Appends `token` to the context, so that the next one can be chosen.
    ///
    /// # Errors
    /// `context-full` when there is no room for it.
    pub fn advance(&mut self, token: u32) -> Result<()> {
        self.model.forward(&[token])?;
        self.last_row = 0;
        Ok(())
    }

    /// What has been asked of the device so far.
    pub fn counters(&self) -> Counters {
        self.model.counters()
    }

    /// Whether the context has room for one more token.
    pub fn has_room(&mut self) -> bool {
        self.model.cache().tokens().len() < self.model.cache().capacity()
    }
}

/// The natural logarithms of the probabilities that `logits` stand for, summed in f64.
pub fn log_probabilities(logits: &[f32]) -> Vec<f32> {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max) as f64;
    let sum: f64 = logits.iter().map(|&logit| (logit as f64 - largest).exp()).sum();
    let normalizer = largest + sum.ln();
    logits.iter().map(|&logit| (logit as f64 - normalizer) as f32).collect()
}
