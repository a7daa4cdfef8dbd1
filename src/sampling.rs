//! The settings by which tokens are chosen: what the token loop on the host and the kernel on the GPU have in common.

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};

/// How tokens are chosen. The steps are taken in this order: penalties, temperature, top-k, top-p, min-p, then a draw
/// from what is left. Defaults are [`Sampling::recommended`] for a model that doesn't think.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Sampling {
    /// Divides the logits; 0 always takes the most likely token. Default 0.7, or 0.6 in thinking.
    pub temperature: f32,
    /// Keeps the `top_k` most likely tokens; 0 keeps all. Default 20.
    pub top_k: usize,
    /// Keeps the fewest most likely tokens whose probabilities sum to at least this. 0 < `top_p` ≤ 1, default 0.8,
    /// or 0.95 in thinking.
    pub top_p: f32,
    /// Keeps the tokens whose probability is at least this part of the largest. 0 ≤ `min_p` ≤ 1, default 0.
    pub min_p: f32,
    /// Divides the positive and multiplies the negative logits of tokens that occurred in prompt or answer (Keskar et
    /// al., "CTRL", 2019). At least 0.01, default 1: off.
    pub repetition_penalty: f32,
    /// Taken off the logit of each token that occurred in the answer. Default 0.
    pub presence_penalty: f32,
    /// Taken off the logit of each token in the answer, as often as it occurred there. Default 0.
    pub frequency_penalty: f32,
    /// The same seed, prompt and settings give the same answer on the same device. Default: a different one each time
    /// in the browser, 0 here.
    pub seed: u64,
}

impl Default for Sampling {
    fn default() -> Self {
        Self::recommended(false)
    }
}

impl Sampling {
    /// What Qwen recommends: the `generation_config.json` of Qwen2.5, and for both modes of Qwen3 the section "Best
    /// Practices" of its model cards, which warns of greedy choice in thinking. But no penalty, so that temperature 0 alone
    /// means the most likely token.
    pub fn recommended(thinking: bool) -> Self {
        Self {
            temperature: if thinking { 0.6 } else { 0.7 },
            top_k: 20,
            top_p: if thinking { 0.95 } else { 0.8 },
            min_p: 0.0,
            repetition_penalty: 1.0,
            presence_penalty: 0.0,
            frequency_penalty: 0.0,
            seed: 0,
        }
    }

    /// Always takes the most likely token.
    pub fn greedy() -> Self {
        Self { temperature: 0.0, ..Self::default() }
    }

    /// Whether it matters which tokens occurred already.
    pub fn has_penalties(&self) -> bool {
        self.repetition_penalty != 1.0 || self.presence_penalty != 0.0 || self.frequency_penalty != 0.0
    }

    /// Checks every setting's range.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`], naming the setting.
    pub fn check(&self) -> Result<()> {
        let ranges = [
            ("temperature", self.temperature, 0.0, 100.0),
            ("topP", self.top_p, f32::MIN_POSITIVE, 1.0),
            ("minP", self.min_p, 0.0, 1.0),
            ("repetitionPenalty", self.repetition_penalty, 0.01, 100.0),
            ("presencePenalty", self.presence_penalty, -100.0, 100.0),
            ("frequencyPenalty", self.frequency_penalty, -100.0, 100.0),
        ];
        for (name, value, smallest, largest) in ranges {
            if !(smallest..=largest).contains(&value) {
                return Err(Error::new(ErrorKind::InvalidArgument, "a sampling setting is out of range")
                    .at(name)
                    .got(value)
                    .expected(if name == "topP" {
                        "above 0, at most 1".to_string()
                    } else {
                        format!("{smallest} to {largest}")
                    }));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_out_of_range_are_refused_by_name() {
        for (sampling, name) in [
            (Sampling { temperature: -1.0, ..Sampling::default() }, "temperature"),
            (Sampling { temperature: f32::NAN, ..Sampling::default() }, "temperature"),
            (Sampling { top_p: 0.0, ..Sampling::default() }, "topP"),
            (Sampling { min_p: 1.5, ..Sampling::default() }, "minP"),
            (Sampling { repetition_penalty: 0.0, ..Sampling::default() }, "repetitionPenalty"),
        ] {
            let error = sampling.check().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidArgument);
            assert!(error.to_string().contains(name), "{error}");
        }
    }
}
