//! How long to wait before a server is asked again, and when to give up.

use std::time::Duration;

use crate::fetch::Retry;

/// The first pause; each one after it is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(20);
/// A server that has never answered is probably not there.
const FIRST_CONTACT: Duration = Duration::from_secs(2);

/// Pauses that grow while nothing comes. All of them together are no longer than a limit.
#[derive(Debug)]
pub(super) struct Patience {
    limit: Duration,
    waited: Duration,
    pauses: u32,
    answered: bool,
}

impl Patience {
    pub(super) fn new(limit: Duration) -> Self {
        Self { limit, waited: Duration::ZERO, pauses: 0, answered: false }
    }

    /// Whether nothing is asked for again.
    pub(super) fn is_none(&self) -> bool {
        self.limit.is_zero()
    }

    /// Bytes came: what failed before doesn't matter any more.
    pub(super) fn restore(&mut self) {
        *self = Self { answered: true, ..Self::new(self.limit) };
    }

    /// Bytes came, but none that weren't there: the server exists, and what failed before still counts.
    pub(super) fn mark_answered(&mut self) {
        self.answered = true;
    }

    /// Another server is asked, with patience of its own.
    pub(super) fn start_over(&mut self) {
        *self = Self::new(self.limit);
    }

    /// How long to wait after a failure; none when it is time to give up. `random` is from 0 to 1.
    pub(super) fn pause(&mut self, retry: Retry, random: f64) -> Option<Duration> {
        let (pause, limit) = match retry {
            Retry::Never => return None,
            // What the server asks for takes no jitter: it knows how many others it asked.
            Retry::After(duration) => (duration.max(FIRST_PAUSE), self.limit),
            Retry::Later => {
                let grown = FIRST_PAUSE.saturating_mul(1 << self.pauses.min(16)).min(LONGEST_PAUSE);
                let limit = if self.answered { self.limit } else { self.limit.min(FIRST_CONTACT) };
                (grown.mul_f64(0.75 + 0.5 * random), limit)
            }
        };
        if self.waited + pause > limit {
            return None;
        }
        self.waited += pause;
        self.pauses += 1;
        Some(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pauses(patience: &mut Patience, retry: Retry, random: f64) -> Vec<f64> {
        std::iter::from_fn(|| patience.pause(retry, random)).map(|pause| pause.as_secs_f64()).collect()
    }

    #[test]
    fn pauses_grow_and_end() {
        let mut patience = Patience::new(Duration::from_secs(120));
        assert_eq!(pauses(&mut patience, Retry::Later, 0.5), [0.5, 1.0], "a server that never answered");
        patience.restore();
        let expected = [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 20.0, 20.0, 20.0, 20.0];
        assert_eq!(pauses(&mut patience, Retry::Later, 0.5), expected);
        patience.restore();
        assert_eq!(patience.pause(Retry::Later, 0.5), Some(FIRST_PAUSE), "bytes came");
    }

    #[test]
    fn what_is_random_is_a_quarter_in_either_direction() {
        for (random, first) in [(0.0, 375), (1.0, 625)] {
            let pause = Patience::new(Duration::from_secs(9)).pause(Retry::Later, random);
            assert_eq!(pause, Some(Duration::from_millis(first)));
        }
    }

    #[test]
    fn a_server_that_says_when_is_waited_for() {
        let mut patience = Patience::new(Duration::from_secs(10));
        let after = |seconds| Retry::After(Duration::from_secs(seconds));
        assert_eq!(patience.pause(after(7), 0.0), Some(Duration::from_secs(7)));
        assert_eq!(patience.pause(after(7), 0.0), None, "that would be longer than the patience");
        assert_eq!(patience.pause(after(0), 0.0), Some(FIRST_PAUSE), "not at once");
        assert_eq!(patience.pause(Retry::Never, 0.0), None);
    }

    #[test]
    fn without_patience_nothing_is_asked_again() {
        assert_eq!(Patience::new(Duration::ZERO).pause(Retry::Later, 0.5), None);
    }
}
