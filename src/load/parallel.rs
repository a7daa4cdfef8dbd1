//! Several ranges of a file at the same time, tried where bytes come slowly: some servers limit each connection. Nothing
//! is asked for again here: whatever goes wrong ends it, and one body, with all its patience, goes on.

use std::cell::Cell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::ops::Range;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use super::download::{Version, record_range};
use crate::error::Error;
use crate::fetch::{Body as _, Failure, Retry, Source};
use crate::store::RECORD_BYTES;

/// So many ranges are under way or in memory, the record that the caller has among them: 16 MiB.
const MAX_RANGES: usize = 4;
/// It isn't tried for fewer records than these.
const MIN_RECORDS: usize = 2 * MAX_RANGES;
/// One body that is faster is fast enough.
const SLOW_BYTES_PER_SECOND: f64 = 3e6;
/// Speeds are compared over at least so long.
const MEASURED: Duration = Duration::from_secs(5);
/// It has to be so many times as fast as one body was. Where ranges share what limits them, it can't be.
const MIN_GAIN: f64 = 1.3;

/// How records are fetched.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Mode {
    /// With one body.
    OneBody,
    /// In parallel, to find out whether that is faster than so many bytes per second.
    Trial { before: f64 },
    /// In parallel, because it is.
    Parallel,
    /// With one body, as soon as the ranges under way have come: it wasn't, or something went wrong.
    GivenUp,
}

/// The records that come in parallel, and whether any do.
pub(super) struct ParallelRanges<'a> {
    mode: Mode,
    pace: Pace,
    /// Of records in a row, the first of which is handed out next.
    ranges: VecDeque<RecordRange<'a>>,
    /// What the range that failed says of when to ask again.
    failure: Option<Retry>,
}

impl<'a> ParallelRanges<'a> {
    pub(super) fn new() -> Self {
        Self { mode: Mode::OneBody, pace: Pace::default(), ranges: VecDeque::new(), failure: None }
    }

    /// One body brought so many bytes after they were waited for.
    pub(super) fn measure(&mut self, bytes: u64, waited: Duration) {
        self.pace.add(bytes, waited);
    }

    /// One body failed: what came before says nothing of what comes after.
    pub(super) fn measure_anew(&mut self) {
        self.pace = Pace::default();
    }

    /// Decides whether to ask here for the next record, the first of so many `records` in a row. `is_safe` says that the
    /// server does ranges, that the whole is verified in the end, and that a failure isn't the end.
    pub(super) fn decide(&mut self, is_safe: bool, records: usize) -> bool {
        if self.mode == Mode::OneBody
            && let Some(before) = self.pace.take()
            && before < SLOW_BYTES_PER_SECOND
            && is_safe
            && records >= MIN_RECORDS
        {
            self.mode = Mode::Trial { before };
        }
        matches!(self.mode, Mode::Trial { .. } | Mode::Parallel) || !self.ranges.is_empty()
    }

    /// Puts the first one of `records` into `buffer`, and asks for more of them; returns whether it came. They are asked
    /// for in order. `on_bytes` hears how many bytes have come from the beginning of that record on.
    pub(super) async fn read_record<S: Source>(
        &mut self,
        source: &'a S,
        version: &Version,
        records: Range<usize>,
        buffer: &mut Vec<u8>,
        mut on_bytes: impl FnMut(u64) -> Result<(), Error>,
    ) -> Result<bool, Error> {
        self.open_more(source, version, records, buffer).await;
        while let Some(range) = self.ranges.pop_front() {
            if let RecordRange::Here(record) = range {
                *buffer = record;
                return Ok(true);
            }
            self.ranges.push_front(range);
            let (started, before) = (source.now(), self.ahead_bytes());
            self.receive().await;
            let bytes = self.ahead_bytes();
            self.pace.add(bytes.saturating_sub(before), source.now() - started);
            on_bytes(bytes)?;
        }
        Ok(false)
    }

    /// When to ask again, if a range has failed and nobody has heard of it yet.
    pub(super) fn take_failure(&mut self) -> Option<Retry> {
        self.failure.take()
    }

    /// How many bytes have come of records that weren't handed out yet.
    pub(super) fn ahead_bytes(&self) -> u64 {
        self.ranges.iter().map(RecordRange::bytes).sum()
    }

    async fn open_more<S: Source>(
        &mut self,
        source: &'a S,
        version: &Version,
        records: Range<usize>,
        buffer: &mut Vec<u8>,
    ) {
        if let Mode::Trial { before } = self.mode
            && let Some(speed) = self.pace.take()
        {
            self.mode = if speed >= MIN_GAIN * before { Mode::Parallel } else { Mode::GivenUp };
        }
        let (Some(total_bytes), false) = (version.total_bytes, self.mode == Mode::GivenUp) else { return };
        for index in records.skip(self.ranges.len()).take(MAX_RANGES - self.ranges.len()) {
            // The caller's buffer is one of the four.
            let mut record = std::mem::take(buffer);
            record.clear();
            record.reserve_exact(RECORD_BYTES);
            let come = Rc::new(Cell::new(0));
            let fetched = fetch(source, version.clone(), record_range(index, total_bytes), record, come.clone());
            self.ranges.push_back(RecordRange::Coming { come, record: Box::pin(fetched) });
        }
        // The requests leave now, and not when the caller next waits for one: records that are there may come first.
        let before = self.ahead_bytes();
        poll_fn(|context| Poll::Ready(self.poll(context))).await;
        self.pace.add(self.ahead_bytes().saturating_sub(before), Duration::ZERO);
    }

    /// Waits until more bytes have come, or a range has failed.
    async fn receive(&mut self) {
        let before = self.ahead_bytes();
        poll_fn(|context| {
            let is_whole = self.poll(context);
            if !is_whole || self.ahead_bytes() > before { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// Lets all ranges go on. Drops one that fails with those after it, and returns whether none did.
    fn poll(&mut self, context: &mut Context<'_>) -> bool {
        let mut polled = self.ranges.iter_mut().map(|range| range.poll(context)).enumerate();
        let Some((failed, retry)) = polled.find_map(|(index, outcome)| Some((index, outcome.err()?.retry))) else {
            return true;
        };
        self.ranges.truncate(failed);
        self.mode = Mode::GivenUp;
        self.failure = Some(retry);
        false
    }
}

/// A range that failed. Why doesn't matter: one body asks again, and finds out.
struct RangeFailed {
    retry: Retry,
}

impl RangeFailed {
    /// Something else came than was asked for.
    const OTHER: Self = Self { retry: Retry::Later };
}

impl From<Failure> for RangeFailed {
    /// A server that refuses a fourth connection for good may well serve one.
    fn from(failure: Failure) -> Self {
        Self { retry: if failure.retry == Retry::Never { Retry::Later } else { failure.retry } }
    }
}

/// A record on its way, or in memory.
enum RecordRange<'a> {
    Coming { come: Rc<Cell<u64>>, record: Pin<Box<dyn Future<Output = Result<Vec<u8>, RangeFailed>> + 'a>> },
    Here(Vec<u8>),
}

impl RecordRange<'_> {
    fn bytes(&self) -> u64 {
        match self {
            Self::Coming { come, .. } => come.get(),
            Self::Here(record) => record.len() as u64,
        }
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Result<(), RangeFailed> {
        if let Self::Coming { record, .. } = self
            && let Poll::Ready(outcome) = record.as_mut().poll(context)
        {
            *self = Self::Here(outcome?);
        }
        Ok(())
    }
}

/// Asks for one record, and puts it into `buffer`. `come` counts its bytes.
async fn fetch<S: Source>(
    source: &S,
    version: Version,
    range: Range<u64>,
    mut buffer: Vec<u8>,
    come: Rc<Cell<u64>>,
) -> Result<Vec<u8>, RangeFailed> {
    let mut answer = source.open(&version.url, range.clone(), version.validator.as_deref()).await?;
    let is_as_long = answer.total_bytes.is_none_or(|total_bytes| version.total_bytes == Some(total_bytes));
    if answer.first != range.start || !is_as_long || answer.validator != version.validator {
        return Err(RangeFailed::OTHER);
    }
    let length = (range.end - range.start) as usize;
    while buffer.len() < length {
        let before = buffer.len();
        answer.body.read(&mut buffer, length - before).await?;
        if buffer.len() == before {
            return Err(RangeFailed::OTHER);
        }
        come.set(buffer.len() as u64);
    }
    Ok(buffer)
}

/// How fast bytes come while they are waited for. What is done with them in between doesn't count: where that takes
/// long, it isn't the network that is slow.
#[derive(Debug, Default)]
struct Pace {
    bytes: u64,
    waited: Duration,
}

impl Pace {
    fn add(&mut self, bytes: u64, waited: Duration) {
        self.bytes += bytes;
        self.waited += waited;
    }

    /// Bytes per second, if it was measured for long enough; the next measurement then begins.
    fn take(&mut self) -> Option<f64> {
        if self.waited < MEASURED {
            return None;
        }
        let Self { bytes, waited } = std::mem::take(self);
        Some(bytes as f64 / waited.as_secs_f64())
    }
}
