//! Choosing a token from logits.

use std::collections::HashMap;

use super::Random;
use crate::error::Result;
use crate::sampling::Sampling;

/// Draws tokens by [`Sampling`], keeping count of what occurred.
#[derive(Debug)]
pub struct Sampler {
    sampling: Sampling,
    random: Random,
    /// How often each token occurred in the answer; tokens of the prompt alone have 0.
    occurrences: HashMap<u32, u32>,
}

impl Sampler {
    /// A sampler for an answer to `prompt`.
    ///
    /// # Errors
    /// `invalid-argument` for a setting out of range.
    pub fn new(sampling: Sampling, prompt: &[u32]) -> Result<Self> {
        sampling.check()?;
        let random = Random::new(sampling.seed);
        Ok(Self { sampling, random, occurrences: prompt.iter().map(|&token| (token, 0)).collect() })
    }

    /// Chooses the next token from `logits` of `[vocabulary]`, which it may rewrite; one whose logit is -inf is banned.
    pub fn sample(&mut self, logits: &mut [f32]) -> u32 {
        self.add_bias(logits);
        self.penalize(logits);
        let token = if self.sampling.temperature == 0.0 { most_likely(logits) } else { self.draw(logits) };
        *self.occurrences.entry(token).or_default() += 1;
        token
    }

    fn add_bias(&self, logits: &mut [f32]) {
        for (&token, &bias) in &self.sampling.logit_bias {
            let Some(logit) = logits.get_mut(token as usize) else { continue };
            *logit = if self.sampling.bans(token) { f32::NEG_INFINITY } else { *logit + bias };
        }
    }

    fn penalize(&self, logits: &mut [f32]) {
        let Sampling { repetition_penalty, presence_penalty, frequency_penalty, .. } = self.sampling;
        for (&token, &count) in &self.occurrences {
            let Some(logit) = logits.get_mut(token as usize) else { continue };
            *logit = if *logit > 0.0 { *logit / repetition_penalty } else { *logit * repetition_penalty };
            if count > 0 {
                *logit -= presence_penalty + frequency_penalty * count as f32;
            }
        }
    }

    fn draw(&mut self, logits: &[f32]) -> u32 {
        let Sampling { temperature, top_k, top_p, min_p, .. } = self.sampling;
        // Adding 0 makes 0 of -0, so that the order below takes them for equals.
        let mut candidates: Vec<(u32, f32)> =
            logits.iter().enumerate().map(|(token, &logit)| (token as u32, logit + 0.0)).collect();
        // Most likely first; of equally likely ones the first in the vocabulary, so that a seed always means the same.
        let by_likelihood = |a: &(u32, f32), b: &(u32, f32)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
        if top_k > 0 && top_k < candidates.len() {
            candidates.select_nth_unstable_by(top_k - 1, by_likelihood);
            candidates.truncate(top_k);
        }
        candidates.sort_unstable_by(by_likelihood);

        let largest = candidates[0].1;
        for (_, weight) in &mut candidates {
            // The difference first: divided by a tiny temperature alone, logits would overflow.
            *weight = ((*weight - largest) / temperature).exp();
        }
        let total: f32 = candidates.iter().map(|(_, weight)| weight).sum();
        let mut kept = candidates.len();
        let mut cumulative = 0.0;
        for (index, (_, weight)) in candidates.iter().enumerate() {
            // The most likely token has weight 1 and always stays.
            if index > 0 && (cumulative >= top_p * total || *weight < min_p) {
                kept = index;
                break;
            }
            cumulative += weight;
        }
        candidates.truncate(kept);

        // The sum is taken as before, so it ends at the same value: above what is a part of it.
        let threshold = self.random.next_unit() * cumulative;
        let mut sum = 0.0;
        let reaches = |&&(_, weight): &&(u32, f32)| {
            sum += weight;
            sum > threshold
        };
        candidates.iter().find(reaches).map_or(candidates[0].0, |&(token, _)| token)
    }
}

/// The token with the largest logit; the first of equals.
fn most_likely(logits: &[f32]) -> u32 {
    let mut best = 0;
    for (token, &logit) in logits.iter().enumerate() {
        if logit > logits[best] {
            best = token;
        }
    }
    best as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// No penalties and no filters: what each test then adds is all there is.
    fn plain() -> Sampling {
        Sampling { temperature: 1.0, top_k: 0, top_p: 1.0, ..Sampling::default() }
    }

    /// How often each of the tokens is drawn in 4000 draws from the same logits.
    fn frequencies<const N: usize>(sampling: Sampling, logits: [f32; N]) -> [f32; N] {
        let mut counts = [0.0; N];
        for seed in 0..4000 {
            let mut sampler = Sampler::new(Sampling { seed, ..sampling.clone() }, &[]).unwrap();
            counts[sampler.sample(&mut logits.clone()) as usize] += 1.0 / 4000.0;
        }
        counts
    }

    fn assert_close<const N: usize>(got: [f32; N], expected: [f32; N]) {
        for (got_one, expected_one) in got.iter().zip(expected) {
            assert!((got_one - expected_one).abs() < 0.03, "{got:?} is not {expected:?}");
        }
    }

    #[test]
    fn draws_follow_the_softmax_of_the_filtered_logits() {
        let logits = [0.4f32.ln(), 0.3f32.ln(), 0.2f32.ln(), 0.1f32.ln()];
        let cases: [(&str, Sampling, [f32; 4]); 8] = [
            ("plain", plain(), [0.4, 0.3, 0.2, 0.1]),
            ("temperature 0", Sampling { temperature: 0.0, ..plain() }, [1.0, 0.0, 0.0, 0.0]),
            ("almost temperature 0", Sampling { temperature: 1e-40, ..plain() }, [1.0, 0.0, 0.0, 0.0]),
            ("temperature 0.5", Sampling { temperature: 0.5, ..plain() }, [0.533, 0.3, 0.133, 0.033]),
            ("top-k 2", Sampling { top_k: 2, ..plain() }, [0.571, 0.429, 0.0, 0.0]),
            ("top-p 0.6", Sampling { top_p: 0.6, ..plain() }, [0.571, 0.429, 0.0, 0.0]),
            ("top-p of almost nothing", Sampling { top_p: 0.01, ..plain() }, [1.0, 0.0, 0.0, 0.0]),
            ("min-p 0.6", Sampling { min_p: 0.6, ..plain() }, [0.571, 0.429, 0.0, 0.0]),
        ];
        for (name, sampling, expected) in cases {
            println!("{name}");
            assert_close(frequencies(sampling, logits), expected);
        }
    }

    #[test]
    fn penalties_hold_back_what_occurred() {
        let greedy = Sampling::greedy();
        let next = |sampling: &Sampling, prompt: &[u32], logits: [f32; 3]| {
            Sampler::new(sampling.clone(), prompt).unwrap().sample(&mut logits.clone())
        };
        let repetition = Sampling { repetition_penalty: 2.0, ..greedy.clone() };
        assert_eq!(next(&repetition, &[], [3.0, 2.0, -1.0]), 0);
        assert_eq!(next(&repetition, &[0], [3.0, 2.0, -1.0]), 1, "3 / 2 is less than 2");
        assert_eq!(next(&repetition, &[0], [-1.0, -1.5, -9.0]), 1, "-1 * 2 is less than -1.5");

        for sampling in [
            Sampling { presence_penalty: 2.0, ..greedy.clone() },
            Sampling { frequency_penalty: 2.0, ..greedy.clone() },
        ] {
            let mut sampler = Sampler::new(sampling, &[0]).unwrap();
            let tokens: Vec<u32> = (0..3).map(|_| sampler.sample(&mut [3.0, 2.0, 0.5])).collect();
            assert_eq!(tokens[..2], [0, 1], "a token of the prompt is not held back, one of the answer is");
        }
    }
    #[test]
    fn a_bias_is_added_before_everything_else_and_minus_100_bans() {
        let greedy = |bias: &[(u32, f32)], logits: [f32; 3]| {
            let sampling = Sampling { logit_bias: bias.iter().copied().collect(), ..Sampling::greedy() };
            Sampler::new(sampling, &[]).unwrap().sample(&mut logits.clone())
        };
        assert_eq!(greedy(&[(1, 1.5)], [3.0, 2.0, 1.0]), 1);
        assert_eq!(greedy(&[(1, 0.5)], [3.0, 2.0, 1.0]), 0);
        assert_eq!(greedy(&[(0, -100.0), (1, -99.0)], [300.0, 200.0, 102.0]), 2, "however large its logit");

        // The penalty halves 4 + 4, not the 4 alone: so 4 is left, and the other token's 5 is larger.
        let sampling = Sampling { logit_bias: [(0, 4.0)].into(), repetition_penalty: 2.0, ..Sampling::greedy() };
        assert_eq!(Sampler::new(sampling, &[0]).unwrap().sample(&mut [4.0, 5.0]), 1);

        // Banned tokens are never drawn, whatever else would keep or favour them.
        let logits = [9.0, 0.4f32.ln(), 0.3f32.ln(), 8.0];
        let banned = Sampling { logit_bias: [(0, -100.0), (3, -100.0)].into(), ..plain() };
        for sampling in [
            banned.clone(),
            Sampling { temperature: 100.0, ..banned.clone() },
            Sampling { top_k: 3, ..banned.clone() },
            Sampling { presence_penalty: -100.0, repetition_penalty: 0.01, ..banned.clone() },
        ] {
            let frequencies = frequencies(sampling, logits);
            assert_eq!((frequencies[0], frequencies[3]), (0.0, 0.0));
        }
        assert_close(frequencies(banned, logits), [0.0, 0.571, 0.429, 0.0]);
    }
}
