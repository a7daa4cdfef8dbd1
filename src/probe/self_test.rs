//! Whether a device computes what a model needs, and computes it rightly.

use super::test_model::{TestModel, VOCABULARY};
use crate::backend::cpu::{CpuBackend, Processor};
use crate::backend::{Backend, MAX_LOGIT_ROWS, Platform};
use crate::error::{Error, ErrorKind, Result};
use crate::model::Model;
use crate::sampling::Sampling;

/// The tokens of the prompt: enough for the kernels of long prompts, whose last eight are looked at.
const PROMPT: [u32; 20] = [17, 203, 5, 91, 250, 64, 128, 33, 7, 180, 111, 42, 222, 3, 76, 149, 201, 88, 12, 60];

/// Tokens that the device chooses by itself: the first by the prompt, the second by a recorded pass, the third by the same one
/// run again.
const ANSWER_TOKENS: usize = 3;

/// Has a tiny model of random weights read a prompt and write an answer on `platform`, and compares both with the same on
/// the processor. `tolerance` is for the squared error of logits as a part of the whole; a wrong kernel makes about 1.
///
/// # Errors
/// [`ErrorKind::NoWebgpu`] for what isn't right, with the name of the check; and what the device reports.
pub async fn test_platform<P: Platform>(platform: &P, tolerance: f64) -> Result<()> {
    let test_model = TestModel::new();
    let expected = test_model.load(&Processor)?;
    let got = platform.make_room(|| test_model.load(platform)).await?;
    SelfTest { got, expected, tolerance }.run().await
}

struct SelfTest<B: Backend> {
    got: Model<B>,
    expected: Model<CpuBackend>,
    tolerance: f64,
}

impl<B: Backend> SelfTest<B> {
    async fn run(&mut self) -> Result<()> {
        let first_row = PROMPT.len() - MAX_LOGIT_ROWS;
        self.got.forward(&PROMPT)?;
        self.expected.forward(&PROMPT)?;
        let expected = self.expected.logits(first_row, MAX_LOGIT_ROWS).await?;
        let got = self.got.logits(first_row, MAX_LOGIT_ROWS).await?;
        self.compare("a prompt", &got, &expected)?;

        self.got.begin_answer(&Sampling::greedy(), VOCABULARY, &PROMPT);
        for _ in 1..ANSWER_TOKENS {
            self.got.forward_sampled()?;
        }
        let mut expected = expected[(MAX_LOGIT_ROWS - 1) * VOCABULARY..].to_vec();
        for index in 0..ANSWER_TOKENS {
            let token = self.got.read_sampled().await?;
            self.check_choice(token, &expected)?;
            if index + 1 < ANSWER_TOKENS {
                // The reference follows the device, so that a close decision is no difference.
                self.expected.forward(&[token])?;
                expected = self.expected.logits(0, 1).await?;
            }
        }
        let got = self.got.logits(0, 1).await?;
        self.compare("an answer", &got, &expected)
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
