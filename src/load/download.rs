//! Bytes from a source that may break off, stall, refuse for a while or change: asked for again until they are there.

use std::ops::Range;
use std::time::Duration;

use super::parallel::ParallelRanges;
use super::patience::Patience;
use super::progress::Reporter;
use crate::error::{Error, ErrorKind};
use crate::fetch::{Body, Failure, Retry, Source, WHOLE};
use crate::store::RECORD_BYTES;

/// How much of a file is asked for at first: a Qwen's head fits, so a model that isn't supported costs no more.
pub(super) const HEAD_BYTES: u64 = 8 << 20;
/// While it waits the caller is told this often.
const WAIT_REPORT_INTERVAL: Duration = Duration::from_secs(1);
/// No model that a browser can hold is longer. What a server says beyond that would be room asked for in vain.
const MAX_TOTAL_BYTES: u64 = 64 << 30;

/// Why a load can't go on.
pub(super) enum Problem {
    /// The file is another one than its first part came from: it has to be loaded from the beginning.
    Changed(Error),
    /// Anything else.
    Failed(Error),
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// Which version of the file is being fetched.
#[derive(Debug, Clone, Default)]
pub(super) struct Version {
    /// How long the file is, once that is known.
    pub(super) total_bytes: Option<u64>,
    /// The address that is known to have this version.
    pub(super) url: String,
    /// What names this version there.
    pub(super) validator: Option<String>,
    /// The SHA-256 of the whole that was promised. Whatever is fetched from wherever, it is found out in the end.
    pub(super) sha256: Option<String>,
}

/// What is known of the records of the file.
pub(super) struct Known<'a> {
    /// The hash of each record that was seen before.
    pub(super) hashes: &'a [Option<String>],
    /// Whether the hash of this record alone says whether it is right.
    pub(super) is_checked_alone: bool,
}

/// The bytes of a file from a source, in ranges.
pub(super) struct Download<'a, S: Source> {
    source: &'a S,
    /// Which of the addresses is asked.
    address: usize,
    pub(super) version: Version,
    body: Option<OpenBody<S::Body>>,
    /// Whether the last answer was the range that was asked for, and not the file from its beginning.
    does_ranges: bool,
    parallel: ParallelRanges<'a>,
    patience: Patience,
    /// Whether the caller knows the hash of the file: then an answer of another length is not the file.
    is_promised: bool,
    /// Where the bytes end that came so far. Only those beyond are news.
    furthest: u64,
    /// How many addresses in a row failed without bringing news.
    failed_addresses: usize,
    proved: Proved,
}

/// What was compared of an address before anything new is taken from it.
#[derive(Default)]
struct Proved {
    url: String,
    /// Where the bytes end that were compared.
    end: u64,
}

impl<'a, S: Source> Download<'a, S> {
    /// Fetches `version`, whose hash the caller knows if it `is_promised`.
    pub(super) fn new(source: &'a S, version: Version, patience: Duration, is_promised: bool) -> Self {
        let address = source.addresses().iter().position(|url| *url == version.url).unwrap_or(0);
        Self {
            source,
            address,
            version,
            body: None,
            does_ranges: false,
            parallel: ParallelRanges::new(),
            patience: Patience::new(patience),
            is_promised,
            furthest: 0,
            failed_addresses: 0,
            proved: Proved::default(),
        }
    }

    /// Opens the file at its beginning, unless its length is known; returns the length.
    pub(super) async fn total_bytes(&mut self, reporter: &mut Reporter<'_>) -> Result<u64, Problem> {
        loop {
            if let Some(total_bytes) = self.version.total_bytes {
                return Ok(total_bytes);
            }
            if let Err(failure) = self.open(0..HEAD_BYTES).await? {
                self.wait_after(failure, 0, reporter).await?;
            }
        }
    }

    /// How many bytes have come of records beyond those that were read.
    pub(super) fn ahead_bytes(&self) -> u64 {
        self.parallel.ahead_bytes()
    }

    /// Puts the first one of `records` into `buffer`; the others are wanted next.
    pub(super) async fn read_record(
        &mut self,
        records: Range<usize>,
        known: &Known<'_>,
        buffer: &mut Vec<u8>,
        reporter: &mut Reporter<'_>,
    ) -> Result<(), Problem> {
        let total_bytes = self.total_bytes(reporter).await?;
        let record = record_range(records.start, total_bytes);
        if self.read_in_parallel(&record, &records, buffer, reporter).await? {
            return Ok(());
        }
        let end = record_range(records.end - 1, total_bytes).end;
        buffer.clear();
        buffer.reserve_exact(RECORD_BYTES);
        while (buffer.len() as u64) < record.end - record.start {
            let outcome = self.read_some(&record, end, known, buffer, reporter).await?;
            let loaded_bytes = record.start + buffer.len() as u64;
            match outcome {
                Ok(()) => reporter.report_part(loaded_bytes)?,
                Err(failure) => self.wait_after(failure, loaded_bytes, reporter).await?,
            }
        }
        Ok(())
    }

    /// Puts the first one of `records` into `buffer` with several requests at the same time, if that is safe and seems
    /// to be faster; returns whether it came so. Nothing has to be proved then: the hash of the whole is known.
    async fn read_in_parallel(
        &mut self,
        record: &Range<u64>,
        records: &Range<usize>,
        buffer: &mut Vec<u8>,
        reporter: &mut Reporter<'_>,
    ) -> Result<bool, Error> {
        let is_safe = self.does_ranges && self.version.sha256.is_some() && !self.patience.is_none();
        if self.parallel.decide(is_safe, records.len()) {
            self.body = None;
            let on_bytes = |ahead_bytes| reporter.report_part(record.start + ahead_bytes);
            if self.parallel.read_record(self.source, &self.version, records.clone(), buffer, on_bytes).await? {
                self.mark_news(record.end);
                return Ok(true);
            }
        }
        if let Some(retry) = self.parallel.take_failure() {
            // Whoever counts connections may still count those that are gone. One body's own failures are what ends a load.
            let wait = self.patience.pause(retry, self.source.random()).unwrap_or_default();
            self.wait(wait, record.start, reporter).await?;
        }
        Ok(false)
    }

    /// The bytes up to `end` are there: what failed before doesn't matter any more, if they are news.
    fn mark_news(&mut self, end: u64) {
        if end > self.furthest {
            self.furthest = end;
            self.failed_addresses = 0;
            self.patience.restore();
        }
    }

    /// Appends some more of a record to what `buffer` has of it.
    async fn read_some(
        &mut self,
        record: &Range<u64>,
        end: u64,
        known: &Known<'_>,
        buffer: &mut Vec<u8>,
        reporter: &mut Reporter<'_>,
    ) -> Result<Result<(), Failure>, Problem> {
        let wanted = record.start + buffer.len() as u64;
        let leads_there = |position: u64| position == wanted || (buffer.is_empty() && position < wanted);
        if !self.body.as_ref().is_some_and(|body| leads_there(body.position)) {
            let from = self.start_of_proof(record, known).unwrap_or(wanted);
            let end = if wanted == 0 { end.min(HEAD_BYTES) } else { end };
            if let Err(failure) = self.open(from..end).await? {
                return Ok(Err(failure));
            }
        }
        let Some(open) = &mut self.body else { return Ok(Ok(())) };
        if open.position != wanted {
            // From an earlier record on, or from the beginning: a server that doesn't do ranges sends all again.
            buffer.clear();
        }
        while open.position < record.start {
            let skipped = skip_record(self.source, open, known, buffer, || {
                self.patience.mark_answered();
                reporter.report_part(wanted)
            });
            if let Err(failure) = skipped.await? {
                return Ok(Err(failure));
            }
            if self.version.url == open.url {
                continue; // What came from here is known to be of this version.
            }
            if self.proved.url != open.url {
                self.proved = Proved { url: open.url.clone(), end: 0 };
            }
            if open.position > self.proved.end {
                self.proved.end = open.position;
                self.failed_addresses = 0;
                self.patience.restore();
            }
        }
        if self.version.url != open.url || self.version.validator.is_none() {
            // All that had to be proved has been.
            self.version.url.clone_from(&open.url);
            self.version.validator.clone_from(&open.validator);
        }
        let limit = (record.end - open.position) as usize;
        let (started, before) = (self.source.now(), open.position);
        if let Err(failure) = open.read(buffer, limit).await {
            return Ok(Err(failure));
        }
        let (position, is_over) = (open.position, open.is_over);
        self.parallel.measure(position - before, self.source.now() - started);
        self.mark_news(position);
        if is_over {
            // As the first range is, or the server has cut this one short.
            self.body = None;
        }
        Ok(Ok(()))
    }

    /// Asks for a range; the body is then open.
    async fn open(&mut self, range: Range<u64>) -> Result<Result<(), Failure>, Problem> {
        self.body = None;
        let Some(url) = self.source.addresses().get(self.address) else {
            return Err(Error::new(ErrorKind::Internal, "a file has no address").into());
        };
        let validator = self.version.validator.as_deref().filter(|_| self.version.url == *url);
        let is_known = self.version.total_bytes.is_some();
        let mut answer = match self.source.open(url, range, validator).await {
            Ok(answer) => answer,
            Err(failure) => return Ok(Err(of_address(failure, url, is_known))),
        };
        if answer.total_bytes.or(self.version.total_bytes).is_none() {
            // Another origin may hide how long the whole is. A plain answer always shows its length.
            answer = match self.source.open(url, WHOLE, validator).await {
                Ok(answer) => answer,
                Err(failure) => return Ok(Err(of_address(failure, url, is_known))),
            };
        }
        if let Some(total_bytes) = answer.total_bytes.filter(|total_bytes| *total_bytes > MAX_TOTAL_BYTES) {
            let error = Error::new(ErrorKind::BadFile, "the file is longer than any model that can be loaded")
                .at(url)
                .got(format!("{total_bytes} bytes"))
                .expected(format!("at most {MAX_TOTAL_BYTES}"));
            return Ok(Err(of_address(Failure { error, retry: Retry::Never }, url, is_known)));
        }
        if let (Some(before), Some(now)) = (self.version.total_bytes, answer.total_bytes)
            && before != now
        {
            if self.is_promised {
                let error = Error::new(ErrorKind::Network, "the server sends something else than the file")
                    .at(url)
                    .got(format!("{now} bytes"))
                    .expected(format!("{before} bytes"));
                return Ok(Err(Failure { error, retry: Retry::Never }));
            }
            return Err(changed(url, format!("{now} bytes"), format!("{before} bytes, as before")));
        }
        match (validator, &answer.validator) {
            (Some(before), Some(now)) if before != now => {
                return Err(changed(url, format!("version {now}"), format!("version {before}, as before")));
            }
            (Some(_), None) if self.version.sha256.is_none() => {
                // What had a name has none any more, and may be something else: the next request asks for a proof.
                self.version.validator = None;
                if answer.first > 0 {
                    return Ok(Ok(()));
                }
            }
            _ => {}
        }
        let version = &mut self.version;
        version.total_bytes = version.total_bytes.or(answer.total_bytes);
        // Of bytes that are there already, a hash that comes later says nothing: it may be another file's.
        if !is_known && version.sha256.is_none() {
            version.sha256 = match answer.sha256 {
                Some(sha256) => Some(sha256),
                None => self.source.published_sha256(url).await,
            };
        }
        self.does_ranges = answer.first > 0;
        self.body = Some(OpenBody {
            body: answer.body,
            url: url.clone(),
            validator: answer.validator,
            position: answer.first,
            brought_bytes: false,
            is_over: false,
        });
        Ok(Ok(()))
    }

    /// From where on records have to come once more before this one, because nothing but them says that it is of the same
    /// file; none if something does.
    fn start_of_proof(&self, record: &Range<u64>, known: &Known<'_>) -> Option<u64> {
        let address = self.source.addresses().get(self.address);
        let once_more = |end: u64| Some(end.saturating_sub(RECORD_BYTES as u64));
        match &self.version {
            Version { sha256: Some(_), .. } => None,
            // Another address may have had another file all along. What names a version there says nothing of this one.
            _ if address != Some(&self.version.url) => match address == Some(&self.proved.url) {
                true => once_more(self.proved.end),
                false => Some(0),
            },
            Version { validator: Some(_), .. } => None,
            _ if known.is_checked_alone => None,
            _ => once_more(record.start),
        }
    }

    /// After a failure: waits until it is time to ask again, or turns to the next address, after the last to the first.
    ///
    /// # Errors
    /// The failure's, when neither makes sense any more; `aborted` when the caller says so.
    async fn wait_after(
        &mut self,
        failure: Failure,
        loaded_bytes: u64,
        reporter: &mut Reporter<'_>,
    ) -> Result<(), Problem> {
        self.body = None;
        self.parallel.measure_anew();
        if failure.error.kind() == ErrorKind::Aborted {
            return Err(failure.error.into());
        }
        let Some(wait) = self.patience.pause(failure.retry, self.source.random()) else {
            let addresses = self.source.addresses().len();
            self.failed_addresses += 1;
            if self.failed_addresses >= addresses {
                return Err(failure.error.into());
            }
            self.address = (self.address + 1) % addresses;
            self.patience.start_over();
            return Ok(());
        };
        Ok(self.wait(wait, loaded_bytes, reporter).await?)
    }

    /// Waits and tells so, not to the end if something changed.
    async fn wait(&self, mut wait: Duration, loaded_bytes: u64, reporter: &mut Reporter<'_>) -> Result<(), Error> {
        while !wait.is_zero() {
            reporter.report_wait(loaded_bytes, wait)?;
            let slice = wait.min(WAIT_REPORT_INTERVAL);
            if self.source.pause(slice).await {
                break;
            }
            wait -= slice;
        }
        Ok(())
    }
}

/// Bytes on their way, and where they are in the file.
struct OpenBody<B> {
    body: B,
    /// Where they come from.
    url: String,
    /// What names the version of the file there.
    validator: Option<String>,
    /// The place in the file of its next byte.
    position: u64,
    /// Whether it has brought anything: one that doesn't would be asked for for ever.
    brought_bytes: bool,
    is_over: bool,
}

impl<B: Body> OpenBody<B> {
    /// Appends at most `limit` bytes to `buffer`, and none at the end.
    async fn read(&mut self, buffer: &mut Vec<u8>, limit: usize) -> Result<(), Failure> {
        let start = buffer.len();
        let outcome = self.body.read(buffer, limit).await;
        let brought = (buffer.len() - start) as u64;
        self.position += brought;
        self.brought_bytes |= brought > 0;
        outcome?;
        self.is_over = brought == 0;
        if self.is_over && !self.brought_bytes {
            let error = Error::new(ErrorKind::Network, "the download broke off").got("no bytes").expected("the rest");
            return Err(Failure { error, retry: Retry::Later });
        }
        Ok(())
    }
}

/// What an address answers instead of a file that is known: that says something of the address, not of the file.
fn of_address(failure: Failure, url: &str, is_known: bool) -> Failure {
    if !is_known || failure.error.kind() != ErrorKind::BadFile {
        return failure;
    }
    let error = Error::new(ErrorKind::Network, "the server sends something else than the file");
    Failure { error: error.at(url).got(failure.error), ..failure }
}

/// Reads a record that is there already, and compares it; `on_bytes` hears of bytes. `buffer` is empty before and after.
async fn skip_record<S: Source>(
    source: &S,
    open: &mut OpenBody<S::Body>,
    known: &Known<'_>,
    buffer: &mut Vec<u8>,
    mut on_bytes: impl FnMut() -> Result<(), Error>,
) -> Result<Result<(), Failure>, Problem> {
    let index = (open.position / RECORD_BYTES as u64) as usize;
    while buffer.len() < RECORD_BYTES {
        let limit = RECORD_BYTES - buffer.len();
        let read = open.read(buffer, limit).await;
        if let Err(failure) = read {
            buffer.clear();
            return Ok(Err(failure));
        }
        if open.is_over {
            buffer.clear();
            let error = Error::new(ErrorKind::Network, "the download broke off")
                .at(&open.url)
                .got(format!("{} bytes", open.position))
                .expected("more");
            return Ok(Err(Failure { error, retry: Retry::Later }));
        }
        on_bytes()?;
    }
    if let Some(Some(expected)) = known.hashes.get(index) {
        let found = source.sha256(buffer).await;
        if found != *expected {
            return Err(changed_record(index, &open.url, &found, expected));
        }
    }
    buffer.clear();
    Ok(Ok(()))
}

/// The place of a record in its file.
pub(super) fn record_range(index: usize, total_bytes: u64) -> Range<u64> {
    let start = index as u64 * RECORD_BYTES as u64;
    start..(start + RECORD_BYTES as u64).min(total_bytes)
}

/// A record isn't what it was before.
pub(super) fn changed_record(index: usize, url: &str, found: &str, before: &str) -> Problem {
    let place = format!("record {index} of {url}");
    changed(&place, format!("SHA-256 {found}"), format!("{before}, as before"))
}

fn changed(place: &str, got: String, expected: String) -> Problem {
    let error = Error::new(ErrorKind::Network, "the file changed on the server while it was being fetched");
    Problem::Changed(error.at(place).got(got).expected(expected))
}
