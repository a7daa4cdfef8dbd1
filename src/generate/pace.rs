//! How many tokens to have under way.

use web_time::Instant;

/// The fewest tokens under way: enough that the device never waits for the host.
const MIN_TOKENS: f64 = 4.0;

/// The most: what is under way when an answer ends was in vain.
const MAX_TOKENS: f64 = 32.0;

/// For how long the device should have work. Firefox looks for results only every 100 ms.
const AHEAD_MS: f64 = 200.0;

/// How much the last token counts in the average.
const WEIGHT: f64 = 0.125;

/// Measures how fast tokens come. They may come in bursts, so it is the average that counts.
pub(super) struct Pace {
    /// When the last token was read.
    last: Option<Instant>,
    token_ms: Option<f64>,
}

impl Pace {
    /// Nothing is known yet.
    pub(super) fn new() -> Self {
        Self { last: None, token_ms: None }
    }

    /// Takes note that a token was read.
    pub(super) fn note_token(&mut self) {
        let now = Instant::now();
        // The first token took as long as the prompt, which says nothing of those after it.
        let Some(last) = self.last.replace(now) else { return };
        let token_ms = now.duration_since(last).as_secs_f64() * 1000.0;
        self.token_ms = Some(self.token_ms.map_or(token_ms, |average| average + WEIGHT * (token_ms - average)));
    }

    /// How many tokens should be under way.
    pub(super) fn tokens_ahead(&self) -> usize {
        match self.token_ms {
            Some(token_ms) => (AHEAD_MS / token_ms).clamp(MIN_TOKENS, MAX_TOKENS) as usize,
            None => MIN_TOKENS as usize,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fast_devices_get_more_tokens_ahead() {
        let cases = [(None, 4), (Some(5000.0), 4), (Some(50.0), 4), (Some(20.0), 10), (Some(1.0), 32), (Some(0.0), 32)];
        for (token_ms, expected) in cases {
            let pace = Pace { token_ms, ..Pace::new() };
            assert_eq!(pace.tokens_ahead(), expected, "{token_ms:?} ms a token");
        }
    }

    #[test]
    fn a_burst_counts_as_its_average() {
        let mut pace = Pace { token_ms: Some(25.0), ..Pace::new() };
        for _ in 0..4 {
            pace.note_token(); // at once
        }
        assert!(pace.tokens_ahead() > 8 && pace.tokens_ahead() < 16, "{}", pace.tokens_ahead());
    }
}
