//! From a URL to an engine: the only place that joins a source of bytes, a store, the file format and the model.

mod download;
mod parallel;
mod parts;
mod patience;
mod progress;
mod records;

use std::ops::ControlFlow;
use std::time::Duration;

use self::download::{HEAD_BYTES, Problem};
use self::parts::Parts;
use self::progress::Reporter;
pub use self::progress::{NotKept, Notice, Phase, Progress};
use self::records::Records;
use crate::backend::{Backend, KvCacheFormat, Platform};
use crate::engine::Engine;
use crate::error::{Error, ErrorKind};
use crate::fetch::{Source, is_sha256};
use crate::gguf::Header;
use crate::store::{RECORD_BYTES, Store};

/// A file that changes more often than this while it is being loaded is not to be had.
const MAX_CHANGES: usize = 2;

/// After so many bytes the device is waited for, which bounds the staging memory of uploads.
const UPLOAD_WINDOW_BYTES: u64 = 64 << 20;

/// What to load, and how.
#[derive(Debug, Clone)]
pub struct LoadOptions {
    /// The SHA-256 that the file must have, in hexadecimal. Default: what its server states, or any.
    pub sha256: Option<String>,
    /// Positions of the KV cache. Default: 4096, or what the model was trained for if that is less.
    pub context_length: Option<usize>,
    /// How the KV cache keeps its numbers.
    pub kv_cache: KvCacheFormat,
    /// How long a source that brings no bytes is waited for, in pauses between attempts. Default: two minutes.
    pub patience: Duration,
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self {
            sha256: None,
            context_length: None,
            kv_cache: KvCacheFormat::default(),
            patience: Duration::from_secs(120),
        }
    }
}

/// A loaded model, and how its loading went.
pub struct Loaded<B: Backend> {
    /// The engine.
    pub engine: Engine<B>,
    /// The bytes of the weights on the device.
    pub weights_bytes: u64,
    /// Whether the file is in the store now.
    pub stored: bool,
}

/// Loads a model onto a backend of `platform`. Each record comes from the store when it is there and has the hash that it
/// had, otherwise from the source, and then goes into the store. A store that fails is left aside; the model still loads.
/// `on_progress` is told after each record and while it waits, and ends the loading with [`ControlFlow::Break`].
///
/// # Errors
/// Whatever the source, the file, the model or the device can fail with; `integrity` when the file's hash isn't the one that
/// was promised; `aborted` when `on_progress` says so. The verified records of a good file stay in the store, and the next load
/// goes on with them; it is complete there only when all of it was verified.
pub async fn load<P: Platform, S: Source, T: Store>(
    platform: &P,
    key: &str,
    options: &LoadOptions,
    store: Option<&T>,
    source: &S,
    mut on_progress: impl FnMut(Progress) -> ControlFlow<()>,
) -> Result<Loaded<P::Backend>, Error> {
    if let Some(sha256) = &options.sha256
        && !is_sha256(sha256)
    {
        return Err(Error::new(ErrorKind::InvalidArgument, "this is no SHA-256")
            .at("sha256")
            .got(format!("\"{sha256}\""))
            .expected("64 hexadecimal digits"));
    }
    let now = || source.now();
    let mut reporter = Reporter::new(&mut on_progress, &now);
    for changes in 0.. {
        let changed = match load_version(platform, key, options, store, source, changes > 0, &mut reporter).await {
            Ok(loaded) => return Ok(loaded),
            Err(Problem::Failed(error)) => return Err(error),
            Err(Problem::Changed(error)) => error,
        };
        if changes == MAX_CHANGES {
            return Err(changed);
        }
        reporter.notice(Notice::Changed);
    }
    Err(Error::new(ErrorKind::Internal, "loading has no end"))
}

/// Loads one version of the file: another one than is stored, if it `has_changed`.
async fn load_version<P: Platform, S: Source, T: Store>(
    platform: &P,
    key: &str,
    options: &LoadOptions,
    store: Option<&T>,
    source: &S,
    has_changed: bool,
    reporter: &mut Reporter<'_>,
) -> Result<Loaded<P::Backend>, Problem> {
    let mut records = Records::open(key, source, store, options, has_changed, reporter).await?;
    let loaded = load_records(platform, &mut records, options, reporter).await;
    if let Err(Problem::Failed(error)) = &loaded {
        records.give_up(error).await;
    }
    loaded
}

/// Reads every record, parses the head as soon as it is complete, and feeds the weights.
async fn load_records<P: Platform, S: Source, T: Store>(
    platform: &P,
    records: &mut Records<'_, S, T>,
    options: &LoadOptions,
    reporter: &mut Reporter<'_>,
) -> Result<Loaded<P::Backend>, Problem> {
    let total_bytes = records.total_bytes();
    let mut head = Vec::new();
    let mut parts: Option<Parts<P::Backend>> = None;
    let mut record = Vec::with_capacity(RECORD_BYTES);
    let mut loaded_bytes = 0;
    let mut waited_bytes = 0;
    let phase = records.first_phase();
    reporter.report(phase, 0, phase == Phase::Upload)?;
    for index in 0..records.count() {
        let phase = records.read(index, &mut record, reporter).await?;
        loaded_bytes += record.len() as u64;
        match &mut parts {
            Some(parts) => {
                parts.feed(&record);
                records.keep(index, &record, reporter).await;
            }
            None => {
                head.extend_from_slice(&record);
                // Parsing costs time, so it is tried at every doubling only; of what is stored not before a Qwen's head is there.
                // What was fetched is kept as soon as its head is known.
                let is_early = records.are_stored() && loaded_bytes < HEAD_BYTES;
                let may_be_whole = (index + 1).is_power_of_two() && !is_early;
                let try_now = may_be_whole || loaded_bytes == total_bytes;
                if try_now && let Some(header) = Header::parse(&head, total_bytes)? {
                    let mut new_parts = Parts::build(platform, header, options).await?;
                    new_parts.feed(&head);
                    for (index, record) in head.chunks(RECORD_BYTES).enumerate() {
                        records.keep(index, record, reporter).await;
                    }
                    head = Vec::new();
                    parts = Some(new_parts);
                }
            }
        }
        if let Some(parts) = &mut parts
            && loaded_bytes - waited_bytes >= UPLOAD_WINDOW_BYTES
        {
            parts.wait().await?;
            waited_bytes = loaded_bytes;
        }
        reporter.report(phase, loaded_bytes + records.ahead_bytes(), phase == Phase::Upload)?;
    }
    drop(record);
    let Some(mut parts) = parts else {
        return Err(Error::new(ErrorKind::BadFile, "the file is empty").got("0 bytes").into());
    };

    let from_cache = records.are_stored();
    reporter.report(Phase::Verify, loaded_bytes, from_cache)?;
    let stored = records.finish(reporter).await?;
    if !parts.loader.is_complete() {
        return Err(Error::new(ErrorKind::Internal, "not every tensor was filled").into());
    }
    parts.model.backend_mut().finish_uploads();
    reporter.report(Phase::Compile, loaded_bytes, from_cache)?;
    let weights_bytes = parts.loader.device_bytes::<P::Backend>();
    parts.wait().await?;
    reporter.report(Phase::Ready, loaded_bytes, from_cache)?;
    Ok(Loaded {
        engine: Engine::new(parts.model, parts.tokenizer, parts.template, parts.stop_tokens),
        weights_bytes,
        stored,
    })
}
