//! Reading a prompt.

use crate::backend::{Backend, MAX_PASS_TOKENS};
use crate::error::{Error, ErrorKind, Result};
use crate::model::Model;

/// What was done to read a prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prefilled {
    /// Tokens that were in the cache already.
    pub cached_tokens: usize,
    /// The row of the last pass that its last token has.
    pub last_row: usize,
}

/// Makes the KV cache hold exactly `tokens`: keeps what it shares with them at the start, and computes the rest in
/// passes. Afterwards what follows the last token can be asked for.
///
/// # Errors
/// `context-full` before anything is changed, `invalid-argument` for no tokens or one outside the vocabulary,
/// `aborted` between passes, and what the device reports.
pub async fn prefill<B: Backend>(
    model: &mut Model<B>,
    tokens: &[u32],
    aborted: impl Fn() -> bool,
) -> Result<Prefilled> {
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
    let new_tokens = &tokens[cached..];
    // Passes of the same length, because a short one costs almost as much as a full one.
    let passes = new_tokens.len().div_ceil(MAX_PASS_TOKENS);
    let pass_tokens = new_tokens.len().div_ceil(passes);
    for pass in new_tokens.chunks(pass_tokens) {
        if aborted() {
            return Err(Error::new(ErrorKind::Aborted, "the caller aborted while the prompt was being read"));
        }
        model.forward(pass)?;
        model.submit_ahead().await?;
    }
    Ok(Prefilled { cached_tokens: cached, last_row: (new_tokens.len() - 1) % pass_tokens })
}
