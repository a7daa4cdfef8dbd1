//! The token loop.

use super::HostChooser;
use super::pace::Pace;
use super::prefill::prefill;
use crate::backend::{Backend, Counters};
use crate::error::Result;
use crate::model::{Model, Wanted};
use crate::sampling::Sampling;

/// A stream of tokens that continue a prompt. Where the device can, it chooses them itself, and several are under way before
/// the first is read: the host is told what was chosen, and is waited for by nobody.
pub struct Generator<'a, B: Backend> {
    model: &'a mut Model<B>,
    chooser: Chooser,
    /// Tokens that may still come.
    remaining: usize,
}

/// Who chooses tokens.
enum Chooser {
    /// The device.
    Device {
        /// Tokens that were asked for and not read.
        in_flight: usize,
        pace: Pace,
    },
    /// The host, from logits.
    Host {
        chooser: HostChooser,
        /// What the next token is chosen from, if that is computed already.
        logits: Option<Vec<f32>>,
        /// The token chosen last.
        last: u32,
    },
}

impl<'a, B: Backend> Generator<'a, B> {
    /// Reads `prompt`, as [`prefill`] does, and gives a generator of what follows, with the number of tokens that were in
    /// the cache already. It chooses among the first `choices` tokens and gives at most `max_tokens`, and no more than the
    /// context has room for.
    ///
    /// # Errors
    /// Those of [`prefill`], and `invalid-argument` for a setting of `sampling` out of range.
    pub async fn start(
        model: &'a mut Model<B>,
        prompt: &[u32],
        sampling: &Sampling,
        choices: usize,
        max_tokens: Option<usize>,
        aborted: impl Fn() -> bool,
    ) -> Result<(Self, usize)> {
        sampling.check()?;
        sampling.check_tokens(choices)?;
        let cached_tokens = prefill(model, prompt, aborted).await?;
        // The last token needs no room: nothing is computed of it.
        let room = model.cache().capacity() - prompt.len() + 1;
        let chooser = if model.can_sample(sampling) {
            model.begin_answer(sampling, choices, prompt);
            Chooser::Device { in_flight: 1, pace: Pace::new() }
        } else {
            let logits = Some(model.logits(0, 1).await?);
            Chooser::Host { chooser: HostChooser::new(sampling, prompt, choices)?, logits, last: 0 }
        };
        Ok((Self { model, chooser, remaining: room.min(max_tokens.unwrap_or(room)) }, cached_tokens))
    }

    /// The next token; `None` when there is no room for more.
    ///
    /// # Errors
    /// `context-full` when the device has no memory for a longer conversation, and what it reports.
    pub async fn next_token(&mut self) -> Result<Option<u32>> {
        self.next_token_except(&[]).await
    }

    /// The next token, which is none of `banned`; `None` when there is no room for more. Only the host can ban tokens: where
    /// that is wanted, `sampling` has [`min_tokens`](Sampling::min_tokens).
    ///
    /// # Errors
    /// What the device reports.
    pub async fn next_token_except(&mut self, banned: &[u32]) -> Result<Option<u32>> {
        if self.remaining == 0 {
            return Ok(None);
        }
        let token = match &mut self.chooser {
            Chooser::Device { in_flight, pace } => {
                debug_assert!(banned.is_empty(), "the device bans no token");
                while *in_flight < pace.tokens_ahead().min(self.remaining) {
                    let positions = self.model.cache().position() + 1;
                    match self.model.reserve(positions).await {
                        // What was computed already still belongs to the answer.
                        Err(_) if *in_flight > 0 => break,
                        result => result?,
                    }
                    self.model.forward_sampled()?;
                    *in_flight += 1;
                }
                let token = self.model.read_sampled().await?;
                *in_flight -= 1;
                pace.note_token();
                token
            }
            Chooser::Host { chooser, logits, last } => {
                let mut logits = match logits.take() {
                    Some(logits) => logits,
                    None => {
                        let positions = self.model.cache().position() + 1;
                        self.model.reserve(positions).await?;
                        self.model.forward(&[*last], Wanted::Last)?;
                        self.model.logits(0, 1).await?
                    }
                };
                *last = chooser.choose(&mut logits, banned);
                *last
            }
        };
        self.remaining -= 1;
        Ok(Some(token))
    }

    /// Where `sampling` asks for them: the log-probabilities of all tokens in the place of the last one, see
    /// [`HostChooser::logprobs`].
    pub fn logprobs(&self) -> Option<&[f32]> {
        match &self.chooser {
            Chooser::Device { .. } => None,
            Chooser::Host { chooser, .. } => chooser.logprobs(),
        }
    }

    /// What has been asked of the device so far.
    pub fn counters(&self) -> Counters {
        self.model.counters()
    }
}

impl<B: Backend> Drop for Generator<'_, B> {
    /// What was asked for past the end is thrown away.
    fn drop(&mut self) {
        self.model.discard_sampled();
    }
}
