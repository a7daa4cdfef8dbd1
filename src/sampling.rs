//! The settings by which tokens are chosen: what the token loop on the host and the kernel on the GPU have in common.

use std::collections::BTreeMap;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use crate::error::{Error, ErrorKind, Result};

/// The logit bias that bans a token.
pub const BAN: f32 = -100.0;

/// How tokens are chosen. The steps are taken in this order: logit bias, penalties, temperature, top-k, top-p, min-p, then a
/// draw from what is left. Defaults are [`Sampling::recommended`] for a model that doesn't think.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Sampling {
    /// Added to the logits of tokens, by id: -100 to 100, where -100 ([`BAN`]) bans the token. Default: none.
    #[serde(deserialize_with = "by_token_id")]
    pub logit_bias: BTreeMap<u32, f32>,
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
    /// Before so many tokens the answer can't end by itself: the tokens that end the model's turn are banned, and stop
    /// strings are text like any other. Default 0.
    pub min_tokens: usize,
    /// Whether the log-probabilities are wanted that the model gave to the tokens, before all of these steps. Default: false.
    pub logprobs: bool,
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
            logit_bias: BTreeMap::new(),
            temperature: if thinking { 0.6 } else { 0.7 },
            top_k: 20,
            top_p: if thinking { 0.95 } else { 0.8 },
            min_p: 0.0,
            repetition_penalty: 1.0,
            presence_penalty: 0.0,
            frequency_penalty: 0.0,
            seed: 0,
            min_tokens: 0,
            logprobs: false,
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

    /// Whether only the host can choose so, from all logits.
    pub fn needs_logits(&self) -> bool {
        self.logprobs || self.min_tokens > 0 || !self.logit_bias.is_empty()
    }

    /// Whether this token is banned.
    pub fn bans(&self, token: u32) -> bool {
        self.logit_bias.get(&token).is_some_and(|&bias| bias <= BAN)
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
        // The ends of the range are exact in f32.
        if let Some((id, bias)) = self.logit_bias.iter().find(|(_, bias)| !(BAN..=-BAN).contains(*bias)) {
            return Err(Error::new(ErrorKind::InvalidArgument, "a logit bias is out of range")
                .at(format!("logitBias[{id}]"))
                .got(bias)
                .expected(format!("{BAN} to {}", -BAN)));
        }
        Ok(())
    }

    /// Checks the tokens that settings name, when there are `choices` of them.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for one that doesn't exist, and when all are banned.
    pub fn check_tokens(&self, choices: usize) -> Result<()> {
        let largest = self.logit_bias.last_key_value().map(|(&id, _)| id);
        if let Some(id) = largest.filter(|&id| id as usize >= choices) {
            return Err(Error::new(ErrorKind::InvalidArgument, "a token is not in the vocabulary")
                .at("logitBias")
                .got(id)
                .expected(format!("less than {choices}")));
        }
        if self.logit_bias.len() == choices && self.logit_bias.keys().all(|&id| self.bans(id)) {
            return Err(Error::new(ErrorKind::InvalidArgument, "every token is banned")
                .at("logitBias")
                .got(format!("{choices} tokens of {choices}"))
                .expected("one that can be chosen"));
        }
        Ok(())
    }
}

/// JavaScript's keys are strings.
fn by_token_id<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<BTreeMap<u32, f32>, D::Error> {
    BTreeMap::<String, f32>::deserialize(deserializer)?
        .into_iter()
        .map(|(id, bias)| Ok((id.parse().map_err(|_| D::Error::custom(format!("{id:?} is no token id")))?, bias)))
        .collect()
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
            (Sampling { logit_bias: [(7, 100.5)].into(), ..Sampling::default() }, "logitBias[7]"),
            (Sampling { logit_bias: [(8, f32::NEG_INFINITY)].into(), ..Sampling::default() }, "logitBias[8]"),
            (Sampling { logit_bias: [(9, f32::NAN)].into(), ..Sampling::default() }, "logitBias[9]"),
        ] {
            let error = sampling.check().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidArgument);
            assert!(error.to_string().contains(name), "{error}");
        }
    }
    #[test]
    fn a_bias_needs_a_token_and_leaves_one_to_choose() {
        let biased =
            |bias: &[(u32, f32)]| Sampling { logit_bias: bias.iter().copied().collect(), ..Sampling::default() };
        for good in [&[][..], &[(0, -100.0), (1, 100.0)], &[(0, -100.0), (1, -99.0)], &[(1, -100.0)]] {
            assert_eq!(biased(good).check().and_then(|()| biased(good).check_tokens(2)), Ok(()), "{good:?}");
        }
        for bad in [&[(2, 1.0)][..], &[(0, -100.0), (1, -100.0)]] {
            let error = biased(bad).check_tokens(2).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidArgument);
            assert!(error.to_string().contains("logitBias"), "{error}");
        }
    }
}
