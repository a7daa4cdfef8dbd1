//! From a URL to an engine: the only place that joins a source of bytes, a store, the file format and the model.

use std::ops::ControlFlow;

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::backend::gpu::GpuBackend;
use crate::backend::gpu::device::Device;
use crate::backend::{Backend, Dimensions};
use crate::engine::Engine;
use crate::error::{Error, ErrorKind, Result};
use crate::fetch::Source;
use crate::gguf::{Header, Metadata};
use crate::model::{Config, Model, Weights, WeightsLoader};
use crate::store::{Manifest, RECORD_BYTES, Store};
use crate::text::{ChatTemplate, Tokenizer, Vocabulary};

/// After so many bytes the device is waited for, which bounds the staging memory of uploads.
const UPLOAD_WINDOW_BYTES: u64 = 64 << 20;

/// What to load, and how.
#[derive(Debug, Clone, Default)]
pub struct LoadOptions {
    /// The SHA-256 that the file must have, in hexadecimal. Default: any.
    pub sha256: Option<String>,
    /// Positions of the KV cache. Default: 4096, or what the model was trained for if that is less.
    pub context_length: Option<usize>,
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
    /// Compiling kernels.
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
pub struct Loaded {
    /// The engine.
    pub engine: Engine<GpuBackend>,
    /// The bytes of the weights on the device.
    pub weights_bytes: u64,
    /// Whether the file is in the store now.
    pub stored: bool,
}

/// Loads a model onto `device`: from the store when the file is complete there, otherwise from the source that `open`
/// gives, which also fills the store. A store that fails is left aside; the model still loads. `on_progress` is told
/// after each record, and ends the loading with [`ControlFlow::Break`].
///
/// # Errors
/// Whatever the source, the file, the model or the device can fail with; `integrity` when the file's hash isn't
/// `options.sha256`, and nothing is stored then; `aborted` when `on_progress` says so.
pub async fn load<S: Source, T: Store>(
    device: Device,
    key: &str,
    options: &LoadOptions,
    store: Option<&T>,
    open: impl AsyncFnOnce() -> Result<S>,
    mut on_progress: impl FnMut(Progress) -> ControlFlow<()>,
) -> Result<Loaded> {
    if let Some(store) = store
        && let Some(manifest) = stored_manifest(store, key, options).await
    {
        let mut records = StoredRecords { store, key, manifest: &manifest, next: 0 };
        match load_records(&device, &mut records, options, &mut on_progress).await {
            Ok(loaded) => return Ok(loaded),
            // Only good files are stored, so one that lost records or is bad now was damaged, and is fetched again. Every
            // other failure would be the same the second time.
            Err(error) if matches!(error.kind(), ErrorKind::Quota | ErrorKind::BadFile) => remove(store, key).await,
            Err(error) => return Err(error),
        }
    }
    let mut records = FetchedRecords {
        source: open().await?,
        store,
        key,
        hasher: Sha256::new(),
        next: 0,
        expected_sha256: options.sha256.as_deref(),
    };
    load_records(&device, &mut records, options, &mut on_progress).await
}

/// The records of a file, in order.
trait Records {
    fn total_bytes(&self) -> u64;
    /// Whether they come from the store.
    fn are_stored(&self) -> bool;
    /// Puts the next record into `buffer`.
    async fn next(&mut self, buffer: &mut Vec<u8>) -> Result<()>;
    /// All records were read: checks the whole. Returns whether the file is in the store now.
    async fn finish(&mut self) -> Result<bool>;
    /// The file is of no use after all.
    async fn discard(&mut self);
}

/// Reads every record, parses the head as soon as it is complete, and feeds the weights.
async fn load_records(
    device: &Device,
    records: &mut impl Records,
    options: &LoadOptions,
    on_progress: &mut impl FnMut(Progress) -> ControlFlow<()>,
) -> Result<Loaded> {
    let (total_bytes, from_cache) = (records.total_bytes(), records.are_stored());
    let mut report = |phase, loaded_bytes| match on_progress(Progress { phase, loaded_bytes, total_bytes, from_cache })
    {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(Error::new(ErrorKind::Aborted, "the caller aborted the loading")),
    };
    let phase = if from_cache { Phase::Upload } else { Phase::Download };
    report(phase, 0)?;

    let mut head = Vec::new();
    let mut parts: Option<Parts> = None;
    let mut record = Vec::with_capacity(RECORD_BYTES);
    let mut loaded_bytes = 0;
    let mut waited_bytes = 0;
    while loaded_bytes < total_bytes {
        records.next(&mut record).await?;
        loaded_bytes += record.len() as u64;
        match &mut parts {
            Some(parts) => parts.feed(&record),
            None => {
                head.extend_from_slice(&record);
                // Parsing costs time, so it is tried at every doubling only.
                let try_now = (loaded_bytes / RECORD_BYTES as u64).is_power_of_two() || loaded_bytes == total_bytes;
                if try_now && let Some(header) = Header::parse(&head, total_bytes)? {
                    let mut new_parts = Parts::build(device.clone(), header, options)?;
                    new_parts.feed(&head);
                    head = Vec::new();
                    parts = Some(new_parts);
                }
            }
        }
        if let Some(parts) = &mut parts
            && loaded_bytes - waited_bytes >= UPLOAD_WINDOW_BYTES
        {
            parts.backend.wait().await?;
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
    parts.backend.wait().await?;
    if !parts.loader.is_complete() {
        records.discard().await;
        return Err(Error::new(ErrorKind::Internal, "not every tensor was filled"));
    }
    report(Phase::Compile, loaded_bytes)?;
    let weights_bytes = parts.loader.total_bytes();
    let mut model = Model::new(parts.config, parts.backend, parts.weights)?;
    model.compile().await?;
    report(Phase::Ready, loaded_bytes)?;
    Ok(Loaded { engine: Engine::new(model, parts.tokenizer, parts.template, parts.stop_tokens), weights_bytes, stored })
}

/// What the head of a file gives: all parts of an engine, the weights still to be filled.
struct Parts {
    config: Config,
    backend: GpuBackend,
    weights: Weights<<GpuBackend as Backend>::Tensor>,
    loader: WeightsLoader<<GpuBackend as Backend>::Tensor>,
    tokenizer: Tokenizer,
    template: ChatTemplate,
    stop_tokens: Vec<u32>,
}

impl Parts {
    fn build(device: Device, mut header: Header, options: &LoadOptions) -> Result<Self> {
        let config = Config::from_header(&header, options.context_length)?;
        let (tokenizer, template, stop_tokens) = text_parts(&mut header.metadata, &config.dimensions)?;
        let mut backend = GpuBackend::new(device, config.dimensions.clone())?;
        let (weights, loader) = Weights::allocate(&mut backend, &header, &config.dimensions)?;
        Ok(Self { config, backend, weights, loader, tokenizer, template, stop_tokens })
    }

    fn feed(&mut self, bytes: &[u8]) {
        self.loader.feed(&mut self.backend, bytes);
    }
}

/// The tokenizer, the chat template and the tokens that end a turn, from the "tokenizer" section of the metadata.
fn text_parts(metadata: &mut Metadata, dimensions: &Dimensions) -> Result<(Tokenizer, ChatTemplate, Vec<u32>)> {
    let missing = |key: &str| Error::new(ErrorKind::BadFile, "the tokenizer is incomplete").at(key).got("nothing");
    let model = metadata.string("tokenizer.ggml.model")?.unwrap_or_default();
    if model != "gpt2" {
        return Err(Error::new(ErrorKind::UnsupportedModel, "the kind of tokenizer is not supported")
            .at("tokenizer.ggml.model")
            .got(format!("\"{model}\""))
            .expected("\"gpt2\": byte-level BPE"));
    }
    let tokens = metadata.take_strings("tokenizer.ggml.tokens")?.ok_or_else(|| missing("tokenizer.ggml.tokens"))?;
    if tokens.len() > dimensions.vocabulary {
        return Err(Error::new(ErrorKind::BadFile, "there are more tokens than embeddings")
            .at("tokenizer.ggml.tokens")
            .got(tokens.len())
            .expected(format!("at most {}", dimensions.vocabulary)));
    }
    let token_at = |key: &str| -> Result<Option<(u32, String)>> {
        let Some(id) = metadata.unsigned(key)? else { return Ok(None) };
        let text = usize::try_from(id).ok().and_then(|id| tokens.get(id)).ok_or_else(|| {
            Error::new(ErrorKind::BadFile, "a special token is not in the vocabulary").at(key).got(id)
        })?;
        Ok(Some((id as u32, text.clone())))
    };
    let bos = token_at("tokenizer.ggml.bos_token_id")?;
    let eos = token_at("tokenizer.ggml.eos_token_id")?;
    let eot = token_at("tokenizer.ggml.eot_token_id")?;

    let source = metadata.string("tokenizer.chat_template")?.ok_or_else(|| {
        Error::new(ErrorKind::UnsupportedModel, "the file has no chat template").at("tokenizer.chat_template")
    })?;
    let vocabulary = Vocabulary {
        merges: metadata.take_strings("tokenizer.ggml.merges")?.ok_or_else(|| missing("tokenizer.ggml.merges"))?,
        token_types: metadata
            .take_integers("tokenizer.ggml.token_type")?
            .ok_or_else(|| missing("tokenizer.ggml.token_type"))?,
        pre_tokenizer: metadata.string("tokenizer.ggml.pre")?.ok_or_else(|| missing("tokenizer.ggml.pre"))?,
        tokens,
    };
    let tokenizer = Tokenizer::new(vocabulary)?;

    let text_of = |token: &Option<(u32, String)>| token.as_ref().map(|(_, text)| text.clone());
    let template =
        ChatTemplate::new(&source, tokenizer.special_tokens(), text_of(&bos).as_deref(), text_of(&eos).as_deref())?;
    // Files disagree on which of these is the end of a turn; an instruction-tuned Qwen writes no other after one.
    let mut stop_tokens: Vec<u32> = [eos, eot].into_iter().flatten().map(|(id, _)| id).collect();
    stop_tokens.extend(["<|im_end|>", "<|endoftext|>"].into_iter().filter_map(|text| tokenizer.control_token(text)));
    stop_tokens.sort_unstable();
    stop_tokens.dedup();
    Ok((tokenizer, template, stop_tokens))
}

/// Records from the store.
struct StoredRecords<'a, T: Store> {
    store: &'a T,
    key: &'a str,
    manifest: &'a Manifest,
    next: u32,
}

impl<T: Store> Records for StoredRecords<'_, T> {
    fn total_bytes(&self) -> u64 {
        self.manifest.total_bytes
    }

    fn are_stored(&self) -> bool {
        true
    }

    async fn next(&mut self, buffer: &mut Vec<u8>) -> Result<()> {
        let found = self.store.read_record(self.key, self.next, buffer).await?;
        let start = u64::from(self.next) * RECORD_BYTES as u64;
        let expected = (self.manifest.total_bytes - start).min(RECORD_BYTES as u64);
        if !found || buffer.len() as u64 != expected {
            return Err(Error::new(ErrorKind::Quota, "the store lost a part of the file")
                .at(format!("record {} of {}", self.next, self.key))
                .got(if found { format!("{} bytes", buffer.len()) } else { "nothing".to_string() })
                .expected(format!("{expected} bytes")));
        }
        self.next += 1;
        Ok(())
    }

    async fn finish(&mut self) -> Result<bool> {
        Ok(true)
    }

    async fn discard(&mut self) {
        remove(self.store, self.key).await;
    }
}

/// Records from a source, which go into the store and through the hash on their way.
struct FetchedRecords<'a, S: Source, T: Store> {
    source: S,
    /// `None` once it has failed: the model can do without.
    store: Option<&'a T>,
    key: &'a str,
    hasher: Sha256,
    next: u32,
    expected_sha256: Option<&'a str>,
}

impl<S: Source, T: Store> Records for FetchedRecords<'_, S, T> {
    fn total_bytes(&self) -> u64 {
        self.source.total_bytes()
    }

    fn are_stored(&self) -> bool {
        false
    }

    async fn next(&mut self, buffer: &mut Vec<u8>) -> Result<()> {
        buffer.clear();
        self.source.read(buffer).await?;
        if buffer.is_empty() {
            return Err(Error::new(ErrorKind::BadFile, "the file ends early").at(self.key));
        }
        self.hasher.update(&buffer[..]);
        if let Some(store) = self.store
            && store.write_record(self.key, self.next, buffer).await.is_err()
        {
            self.discard().await;
        }
        self.next += 1;
        Ok(())
    }

    async fn finish(&mut self) -> Result<bool> {
        let sha256 = hexadecimal(&std::mem::take(&mut self.hasher).finalize());
        if let Some(expected) = self.expected_sha256
            && !expected.eq_ignore_ascii_case(&sha256)
        {
            self.discard().await;
            return Err(Error::new(ErrorKind::Integrity, "the file is not the one that was promised")
                .at(format!("SHA-256 of {}", self.key))
                .got(sha256)
                .expected(expected));
        }
        let Some(store) = self.store else { return Ok(false) };
        let manifest = Manifest {
            total_bytes: self.source.total_bytes(),
            record_bytes: RECORD_BYTES as u32,
            sha256,
            validator: self.source.validator().map(str::to_string),
        };
        Ok(store.write_manifest(self.key, &manifest).await.is_ok())
    }

    async fn discard(&mut self) {
        if let Some(store) = self.store.take() {
            remove(store, self.key).await;
        }
    }
}

/// The manifest of a file that is complete in the store and is the one that is wanted.
async fn stored_manifest<T: Store>(store: &T, key: &str, options: &LoadOptions) -> Option<Manifest> {
    // A store that fails is treated as one that has nothing.
    let manifest = store.manifest(key).await.ok().flatten()?;
    let wanted = options.sha256.as_ref().is_none_or(|sha256| sha256.eq_ignore_ascii_case(&manifest.sha256));
    (wanted && manifest.record_bytes as usize == RECORD_BYTES).then_some(manifest)
}

/// Removes a file from the store. A failure only leaves behind what has no manifest, which the next download rewrites.
async fn remove<T: Store>(store: &T, key: &str) {
    let _ = store.remove(key).await;
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
