//! Reading a prompt.

use crate::backend::{Backend, MAX_PASS_TOKENS};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{Model, Wanted};

/// Makes the KV cache hold exactly `tokens`: keeps what it shares with them at the start, and computes the rest in
/// passes. Afterwards what follows the last token, row 0, can be asked for. Returns how many tokens were in the cache already.
///
/// # Errors
/// `context-full` before anything is computed, `invalid-argument` for no tokens or one outside the vocabulary,
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
    let new_tokens = &tokens[cached..];
    model.reserve(tokens.len()).await?;
    let mut passes = passes(new_tokens).peekable();
    while let Some(pass) = passes.next() {
        if aborted() {
            return Err(Error::new(ErrorKind::Aborted, "the caller aborted while the prompt was being read"));
        }
        model.forward(pass, if passes.peek().is_none() { Wanted::Last } else { Wanted::Nothing })?;
        model.submit_ahead().await?;
    }
    Ok(cached)
}

/// Cuts tokens into passes: full ones and a rest. A rest of a few would be read by kernels of its own, which may not be
/// compiled yet, and costs almost as much as many; it gets half of the pass before.
fn passes(tokens: &[u32]) -> impl Iterator<Item = &[u32]> {
    const SHORT: usize = 8;
    let mut rest = tokens;
    std::iter::from_fn(move || {
        let length = match rest.len() {
            0 => return None,
            left if left > MAX_PASS_TOKENS && left <= MAX_PASS_TOKENS + SHORT => left.div_ceil(2),
            left => left.min(MAX_PASS_TOKENS),
        };
        let (pass, after) = rest.split_at(length);
        rest = after;
        Some(pass)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passes_are_full_but_for_the_last_and_never_end_in_a_few() {
        let cases: [(usize, &[usize]); 8] = [
            (1, &[1]),
            (8, &[8]),
            (64, &[64]),
            (65, &[33, 32]),
            (72, &[36, 36]),
            (73, &[64, 9]),
            (130, &[64, 33, 33]),
            (200, &[64, 64, 36, 36]),
        ];
        for (tokens, expected) in cases {
            let tokens: Vec<u32> = (0..tokens as u32).collect();
            let lengths: Vec<usize> = passes(&tokens).map(<[u32]>::len).collect();
            assert_eq!(lengths, expected, "{} tokens", tokens.len());
            assert_eq!(passes(&tokens).collect::<Vec<_>>().concat(), tokens);
        }
    }
}
