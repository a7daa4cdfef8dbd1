//! What the caller is told while a model loads.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::time::Duration;

use serde::Serialize;
use web_time::Instant;

use crate::error::{Error, ErrorKind, Result};

/// Speeds are those of the last seconds: of more, a change would take long to show.
const SPEED_WINDOW: Duration = Duration::from_secs(5);
/// Within a record progress is told no more often than this.
const REPORT_INTERVAL: Duration = Duration::from_millis(200);

/// What loading is busy with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Fetching the file, storing it and handing it to the device.
    Download,
    /// Comparing the file's hash with what was promised.
    Verify,
    /// Reading the file from the store and handing it to the device.
    Upload,
    /// Waiting for the device: for the last weights, and for kernels that it hasn't compiled yet.
    Compile,
    /// Done.
    Ready,
}

/// How far loading has come.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    /// What it is busy with.
    pub phase: Phase,
    /// Bytes of the file that have come.
    pub loaded_bytes: u64,
    /// Bytes of the file.
    pub total_bytes: u64,
    /// Whether they come from the store; after the last of them, whether all did.
    pub from_cache: bool,
    /// How fast they came in the last seconds, once that is known.
    pub bytes_per_second: Option<f64>,
    /// How long the rest takes at that speed.
    pub seconds_left: Option<f64>,
    /// While a source that failed is given time: until it is asked again, in milliseconds.
    pub retry_in_ms: Option<f64>,
    /// The latest of what happened that a person should know.
    pub notice: Option<Notice>,
}

/// What happens while a model loads that stops nothing, but is worth knowing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Notice {
    /// The file changed where it comes from: loading starts over.
    Changed,
    /// The file isn't kept, or not all of it.
    #[serde(rename_all = "camelCase")]
    NotKept {
        /// Why.
        reason: NotKept,
        /// How many bytes more there would have to be room for, if that is known.
        missing_bytes: Option<u64>,
    },
}

/// Why a file isn't kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum NotKept {
    /// There is too little room.
    NoRoom,
    /// There is no store, or it fails.
    Refused,
}

/// Tells the caller, and asks whether to go on.
pub(super) struct Reporter<'a> {
    on_progress: &'a mut dyn FnMut(Progress) -> ControlFlow<()>,
    now: &'a dyn Fn() -> Instant,
    pub(super) total_bytes: u64,
    notice: Option<Notice>,
    speed: Speed,
    last_report: Option<Instant>,
}

impl<'a> Reporter<'a> {
    pub(super) fn new(
        on_progress: &'a mut dyn FnMut(Progress) -> ControlFlow<()>,
        now: &'a dyn Fn() -> Instant,
    ) -> Self {
        Self { on_progress, now, total_bytes: 0, notice: None, speed: Speed::default(), last_report: None }
    }

    /// From now on every report has this notice.
    pub(super) fn notice(&mut self, notice: Notice) {
        self.notice = Some(notice);
    }

    /// Tells how far loading is.
    pub(super) fn report(&mut self, phase: Phase, loaded_bytes: u64, from_cache: bool) -> Result<()> {
        let moves = matches!(phase, Phase::Download | Phase::Upload);
        let bytes_per_second = if moves { self.speed.at(phase, loaded_bytes, (self.now)()) } else { None };
        let rest = self.total_bytes.saturating_sub(loaded_bytes) as f64;
        self.tell(Progress {
            phase,
            loaded_bytes,
            total_bytes: self.total_bytes,
            from_cache,
            bytes_per_second,
            seconds_left: bytes_per_second.filter(|speed| *speed > 0.0).map(|speed| rest / speed),
            retry_in_ms: None,
            notice: self.notice,
        })
    }

    /// The same within a record that is being fetched: only now and then.
    pub(super) fn report_part(&mut self, loaded_bytes: u64) -> Result<()> {
        if self.last_report.is_some_and(|time| (self.now)() - time < REPORT_INTERVAL) {
            return Ok(());
        }
        self.report(Phase::Download, loaded_bytes, false)
    }

    /// Tells that nothing comes at the moment, and when the next attempt will be.
    pub(super) fn report_wait(&mut self, loaded_bytes: u64, wait: Duration) -> Result<()> {
        // What comes after says nothing of the time before.
        self.speed = Speed::default();
        self.tell(Progress {
            phase: Phase::Download,
            loaded_bytes,
            total_bytes: self.total_bytes,
            from_cache: false,
            bytes_per_second: None,
            seconds_left: None,
            retry_in_ms: Some(wait.as_secs_f64() * 1000.0),
            notice: self.notice,
        })
    }

    fn tell(&mut self, progress: Progress) -> Result<()> {
        self.last_report = Some((self.now)());
        match (self.on_progress)(progress) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(Error::new(ErrorKind::Aborted, "the caller aborted the loading")),
        }
    }
}

/// How fast bytes come, over the last seconds.
#[derive(Debug, Default)]
struct Speed {
    phase: Option<Phase>,
    marks: VecDeque<(Instant, u64)>,
}

impl Speed {
    /// The speed when `bytes` are there at `now`. The store's isn't the network's: a new phase begins anew.
    fn at(&mut self, phase: Phase, bytes: u64, now: Instant) -> Option<f64> {
        if self.phase != Some(phase) || self.marks.back().is_some_and(|(_, before)| *before > bytes) {
            *self = Self { phase: Some(phase), marks: VecDeque::new() };
        }
        self.marks.push_back((now, bytes));
        // One mark older than the window stays, so that there is always something to compare with.
        while self.marks.get(1).is_some_and(|(time, _)| now - *time >= SPEED_WINDOW) {
            self.marks.pop_front();
        }
        let (then, before) = *self.marks.front()?;
        let seconds = (now - then).as_secs_f64();
        (seconds > 0.1).then(|| (bytes - before) as f64 / seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speed_is_that_of_the_last_seconds_and_of_one_phase() {
        let (mut speed, start) = (Speed::default(), Instant::now());
        let mut at = |phase, seconds, bytes| speed.at(phase, bytes, start + Duration::from_secs(seconds));
        assert_eq!(at(Phase::Upload, 0, 100), None);
        assert_eq!(at(Phase::Upload, 1, 1100), Some(1000.0));
        assert_eq!(at(Phase::Download, 2, 1100), None, "another phase");
        for second in 1..=20 {
            assert_eq!(at(Phase::Download, 2 + second, 1100 + 10 * second), Some(10.0));
        }
        assert_eq!(at(Phase::Download, 23, 1300 + 990), Some(1030.0 / 5.0), "since five seconds before");
        assert_eq!(at(Phase::Download, 24, 0), None, "it started over");
    }
}
