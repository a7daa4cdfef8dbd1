//! From a URL to an engine: the only place that joins a source of bytes, a store, the file format and the model.

mod parts;
mod records;

use std::ops::ControlFlow;

use serde::Serialize;

use self::parts::Parts;
use self::records::{FetchedRecords, Records, StoredRecords};
use crate::backend::{Backend, KvCacheFormat, Platform};
use crate::engine::Engine;
use crate::error::{Error, ErrorKind, Result};
use crate::fetch::Source;
use crate::gguf::Header;
use crate::store::{RECORD_BYTES, Store};

/// After so many bytes the device is waited for, which bounds the staging memory of uploads.
const UPLOAD_WINDOW_BYTES: u64 = 64 << 20;

/// What to load, and how.
#[derive(Debug, Clone, Default)]
pub struct LoadOptions {
    /// The SHA-256 that the file must have, in hexadecimal. Default: any.
    pub sha256: Option<String>,
    /// Positions of the KV cache. Default: 4096, or what the model was trained for if that is less.
    pub context_length: Option<usize>,
    /// How the KV cache keeps its numbers.
    pub kv_cache: KvCacheFormat,
}

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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    /// What it is busy with.
    pub phase: Phase,
    /// Bytes of the file that are done.
    pub loaded_bytes: u64,
    /// Bytes of the file.
    pub total_bytes: u64,
    /// Whether they come from the store.
    pub from_cache: bool,
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

/// Loads a model onto a backend of `platform`: from the store when the file is complete there, otherwise from the source
/// that `open` gives, which also fills the store. A store that fails is left aside; the model still loads. `on_progress` is told
/// after each record, and ends the loading with [`ControlFlow::Break`].
///
/// # Errors
/// Whatever the source, the file, the model or the device can fail with; `integrity` when the file's hash isn't
/// `options.sha256`; `aborted` when `on_progress` says so. Nothing of a file stays in the store unless it is whole.
pub async fn load<P: Platform, S: Source, T: Store>(
    platform: &P,
    key: &str,
    options: &LoadOptions,
    store: Option<&T>,
    open: impl AsyncFnOnce() -> Result<S>,
    mut on_progress: impl FnMut(Progress) -> ControlFlow<()>,
) -> Result<Loaded<P::Backend>> {
    if let Some(sha256) = &options.sha256
        && !(sha256.len() == 64 && sha256.bytes().all(|digit| digit.is_ascii_hexdigit()))
    {
        return Err(Error::new(ErrorKind::InvalidArgument, "this is no SHA-256")
            .at("sha256")
            .got(format!("\"{sha256}\""))
            .expected("64 hexadecimal digits"));
    }
    if let Some(store) = store
        && let Some(mut records) = StoredRecords::find(store, key, options.sha256.as_deref()).await
    {
        match load_records(platform, &mut records, options, &mut on_progress).await {
            Ok(loaded) => return Ok(loaded),
            // Only good files are stored, so one that lost records or is bad now was damaged, and is fetched again. Every
            // other failure would be the same the second time.
            Err(error) if matches!(error.kind(), ErrorKind::Quota | ErrorKind::BadFile) => {}
            Err(error) => return Err(error),
        }
    }
    let mut records = FetchedRecords::new(open().await?, store, key, options.sha256.as_deref());
    let loaded = load_records(platform, &mut records, options, &mut on_progress).await;
    if loaded.is_err() {
        records.discard().await;
    }
    loaded
}

/// Reads every record, parses the head as soon as it is complete, and feeds the weights.
async fn load_records<P: Platform>(
    platform: &P,
    records: &mut impl Records,
    options: &LoadOptions,
    on_progress: &mut impl FnMut(Progress) -> ControlFlow<()>,
) -> Result<Loaded<P::Backend>> {
    let (total_bytes, from_cache) = (records.total_bytes(), records.are_stored());
    let mut report = |phase, loaded_bytes| match on_progress(Progress { phase, loaded_bytes, total_bytes, from_cache })
    {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(Error::new(ErrorKind::Aborted, "the caller aborted the loading")),
    };
    let phase = if from_cache { Phase::Upload } else { Phase::Download };
    report(phase, 0)?;

    let mut head = Vec::new();
    let mut parts: Option<Parts<P::Backend>> = None;
    let mut record = Vec::with_capacity(RECORD_BYTES);
    let mut loaded_bytes = 0;
    let mut waited_bytes = 0;
    while loaded_bytes < total_bytes {
        records.next(&mut record).await?;
        loaded_bytes += record.len() as u64;
        match &mut parts {
            Some(parts) => {
                parts.feed(&record);
                records.keep(&record).await;
            }
            None => {
                head.extend_from_slice(&record);
                // Parsing costs time, so it is tried at every doubling only.
                let try_now = (loaded_bytes / RECORD_BYTES as u64).is_power_of_two() || loaded_bytes == total_bytes;
                if try_now && let Some(header) = Header::parse(&head, total_bytes)? {
                    let mut new_parts = Parts::build(platform, header, options).await?;
                    new_parts.feed(&head);
                    for record in head.chunks(RECORD_BYTES) {
                        records.keep(record).await;
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
        report(phase, loaded_bytes)?;
    }
    drop(record);
    let Some(mut parts) = parts else {
        return Err(Error::new(ErrorKind::BadFile, "the file is empty").got("0 bytes"));
    };

    report(Phase::Verify, loaded_bytes)?;
    let stored = records.finish().await?;
    if !parts.loader.is_complete() {
        return Err(Error::new(ErrorKind::Internal, "not every tensor was filled"));
    }
    parts.model.backend_mut().finish_uploads();
    report(Phase::Compile, loaded_bytes)?;
    let weights_bytes = parts.loader.device_bytes::<P::Backend>();
    parts.wait().await?;
    report(Phase::Ready, loaded_bytes)?;
    Ok(Loaded {
        engine: Engine::new(parts.model, parts.tokenizer, parts.template, parts.stop_tokens),
        weights_bytes,
        stored,
    })
}
