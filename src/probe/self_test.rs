//! Whether a device computes what a model needs, and computes it rightly.

use super::test_model::{TestModel, VOCABULARY};
use crate::backend::cpu::{CpuBackend, Processor};
use crate::backend::{Backend, KvCacheFormat, MAX_LOGIT_ROWS, MAX_PASS_TOKENS, Platform};
use crate::error::{Error, ErrorKind, Result};
use crate::generate::Random;
use crate::model::{Model, Wanted};
use crate::sampling::Sampling;

/// Tokens of two prompts, and what is looked at of their last pass. The second follows the first one's answer. The first is long
/// enough for the kernels of prompts. After the second, attention to a single token is split.
const PROMPTS: [(usize, Wanted); 2] = [(20, Wanted::All), (5 * MAX_PASS_TOKENS, Wanted::Last)];

/// Tokens that the device chooses by itself after each prompt: the first by the prompt, the second by a recorded pass, the
/// third by the same one run again.
const ANSWER_TOKENS: usize = 3;

/// Has a tiny model of random weights read prompts and write answers on `platform`, and compares all of it with the same on
/// the processor. The KV cache is in the format `kv_cache`. `tolerance` is for the squared error of logits as a part of the whole; a wrong kernel makes about 1.
///
/// # Errors
/// [`ErrorKind::NoWebgpu`] for what isn't right, with the name of the check; and what the device reports.
pub async fn test_platform<P: Platform>(platform: &P, kv_cache: KvCacheFormat, tolerance: f64) -> Result<()> {
    let test_model = TestModel::new();
    let expected = test_model.load(&Processor, kv_cache)?;
    let got = platform.make_room(|| test_model.load(platform, kv_cache)).await?;
    SelfTest { got, expected, tolerance }.run().await
}

struct SelfTest<B: Backend> {
    got: Model<B>,
    expected: Model<CpuBackend>,
    tolerance: f64,
}

impl<B: Backend> SelfTest<B> {
    async fn run(&mut self) -> Result<()> {
        let mut random = Random::new(2);
        for (tokens, wanted) in PROMPTS {
            let prompt: Vec<u32> = (0..tokens).map(|_| random.next_u32() % VOCABULARY as u32).collect();
            self.test_turn(&prompt, wanted).await?;
        }
        Ok(())
    }

    /// A prompt, of which the last logits are looked at, and the answer to it.
    async fn test_turn(&mut self, prompt: &[u32], wanted: Wanted) -> Result<()> {
        let (before, last) = prompt.split_at((prompt.len() - 1) / MAX_PASS_TOKENS * MAX_PASS_TOKENS);
        for pass in before.chunks(MAX_PASS_TOKENS) {
            self.got.forward(pass, Wanted::Nothing)?;
            self.expected.forward(pass, Wanted::Nothing)?;
        }
        self.got.forward(last, wanted)?;
        // The reference computes everything, so that a device that keeps the wrong row is found out.
        self.expected.forward(last, Wanted::All)?;
        let (first_row, rows) = match wanted {
            Wanted::All => (last.len() - MAX_LOGIT_ROWS, MAX_LOGIT_ROWS),
            _ => (0, 1),
        };
        let got = self.got.logits(first_row, rows).await?;
        let expected = self.expected.logits(last.len() - rows, rows).await?;
        let length = prompt.len();
        self.compare(&format!("a prompt of {length} tokens"), &got, &expected)?;

        self.got.begin_answer(&Sampling::greedy(), VOCABULARY, prompt);
        for _ in 1..ANSWER_TOKENS {
            self.got.forward_sampled()?;
        }
        let mut expected = expected[(rows - 1) * VOCABULARY..].to_vec();
        for index in 0..ANSWER_TOKENS {
            let token = self.got.read_sampled().await?;
            self.check_choice(token, &expected)?;
            if index + 1 < ANSWER_TOKENS {
                // The reference follows the device, so that a close decision is no difference.
                self.expected.forward(&[token], Wanted::Last)?;
                expected = self.expected.logits(0, 1).await?;
            }
        }
        let got = self.got.logits(0, 1).await?;
        self.compare(&format!("the answer to {length} tokens"), &got, &expected)
    }

    fn compare(&self, what: &str, got: &[f32], expected: &[f32]) -> Result<()> {
        let squares = |values: &mut dyn Iterator<Item = f32>| values.map(|value| f64::from(value).powi(2)).sum::<f64>();
        let differences = squares(&mut got.iter().zip(expected).map(|(got, expected)| got - expected));
        let error = differences / squares(&mut expected.iter().copied());
        // Not a number is no success either.
        if error <= self.tolerance {
            return Ok(());
        }
        Err(wrong(&format!("the logits of {what}"))
            .got(format!("a squared error of {error:.1e}"))
            .expected(format!("at most {:.0e}", self.tolerance)))
    }

    /// A token has to be the likeliest, or nearly so.
    fn check_choice(&self, token: u32, logits: &[f32]) -> Result<()> {
        let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let mean_square = logits.iter().map(|logit| logit * logit).sum::<f32>() / logits.len() as f32;
        let slack = 8.0 * (self.tolerance as f32 * mean_square).sqrt();
        match logits.get(token as usize) {
            Some(&logit) if logit >= largest - slack => Ok(()),
            logit => Err(wrong("the choice of a token")
                .got(format!("token {token} of logit {}", logit.copied().unwrap_or(f32::NAN)))
                .expected(format!("one of logit {largest}"))),
        }
    }
}

fn wrong(check: &str) -> Error {
    Error::new(ErrorKind::NoWebgpu, "this GPU, or its driver, computes wrongly").at(check)
}
