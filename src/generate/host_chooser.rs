//! Choosing the tokens of an answer from logits that the host has.

use super::Sampler;
use crate::error::Result;
use crate::sampling::Sampling;

/// Chooses tokens by [`Sampling`], and says how likely the model itself found them.
#[derive(Debug)]
pub struct HostChooser {
    sampler: Sampler,
    /// Tokens that can be chosen: the vocabulary without the rows that pad the head.
    choices: usize,
    wants_logprobs: bool,
    logprobs: Option<Vec<f32>>,
}

impl HostChooser {
    /// Chooses among the first `choices` tokens, for an answer to `prompt`.
    ///
    /// # Errors
    /// `invalid-argument` for a setting out of range.
    pub fn new(sampling: &Sampling, prompt: &[u32], choices: usize) -> Result<Self> {
        sampling.check_tokens(choices)?;
        let sampler = Sampler::new(sampling.clone(), prompt)?;
        Ok(Self { sampler, choices, wants_logprobs: sampling.logprobs, logprobs: None })
    }

    /// Chooses the next token from `logits` of `[vocabulary]`, which it may rewrite, but none of `banned`.
    pub fn choose(&mut self, logits: &mut [f32], banned: &[u32]) -> u32 {
        self.logprobs = self.wants_logprobs.then(|| log_probabilities(logits));
        let logits = &mut logits[..self.choices];
        for &token in banned {
            if let Some(logit) = logits.get_mut(token as usize) {
                *logit = f32::NEG_INFINITY;
            }
        }
        self.sampler.sample(logits)
    }

    /// Where [`Sampling::logprobs`] asks for them: the natural logarithms of the probabilities, `[choices]`, that the model
    /// gave to all tokens in the place of the one chosen last, before any step of the sampler.
    pub fn logprobs(&self) -> Option<&[f32]> {
        self.logprobs.as_ref().map(|logprobs| &logprobs[..self.choices])
    }
}

/// The natural logarithms of the probabilities that `logits` stand for, summed in f64.
pub fn log_probabilities(logits: &[f32]) -> Vec<f32> {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max) as f64;
    let sum: f64 = logits.iter().map(|&logit| (logit as f64 - largest).exp()).sum();
    let normalizer = largest + sum.ln();
    logits.iter().map(|&logit| (logit as f64 - normalizer) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_banned_or_pads_the_head_is_not_chosen_but_counts_as_probable() {
        let sampling = Sampling { logprobs: true, logit_bias: [(1, 2.0)].into(), ..Sampling::greedy() };
        let mut chooser = HostChooser::new(&sampling, &[], 3).unwrap();
        let logits = [5.0, 1.0, 2.0, 9.0];
        assert_eq!(chooser.choose(&mut logits.clone(), &[0, 7]), 1, "with its bias it is above the other that is left");
        assert_eq!(chooser.logprobs(), Some(&log_probabilities(&logits)[..3]));
        assert_eq!(chooser.choose(&mut logits.clone(), &[]), 0);
    }
}
