//! The engine as JavaScript sees it, through wasm-bindgen. It converts values and nothing else; its only user is
//! `www/engine/worker.js`, and the public interface is `www/engine/qwisp.js`.

mod any_engine;
mod batch;
mod convert;
mod panic;
mod probe;
mod sha256;

use std::ops::ControlFlow;
use std::time::Duration;

use js_sys::{Function, Uint32Array};
use serde::{Deserialize, Serialize};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;
use web_sys::AbortSignal;

use self::any_engine::{AnyEngine, with_engine};
use self::convert::{from_js, to_js, to_js_error};
use crate::backend::{Backend, Counters, KvCacheFormat, Platform, cpu, gpu};
use crate::engine::ChatOptions;
use crate::error::{Error, ErrorKind, Result};
use crate::fetch::{HttpClient, HttpSource};
use crate::generate::Sampling;
use crate::load::{LoadOptions, Loaded, NotKept, Notice, Progress, load};
use crate::probe::{Choice, Computer, Fallback, test_gpu};
use crate::store::{IndexedDb, ModelStore};
use crate::text::{Message, Piece};

/// An engine in a worker. Only one call may be under way at a time.
#[wasm_bindgen]
pub struct WasmEngine {
    engine: AnyEngine,
    info: Info,
}

/// The options of [`WasmEngine::load`].
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Options {
    address: String,
    urls: Vec<String>,
    sha256: Option<String>,
    backend: String,
    tier: String,
    context_length: Option<usize>,
    kv_cache: String,
    cache: bool,
    patience_ms: f64,
}

/// What there is to know of a loaded engine.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Info {
    model: ModelInfo,
    backend: &'static str,
    adapter: String,
    tier: &'static str,
    /// What was given up for that.
    fallback: Option<Fallback>,
    memory: MemoryInfo,
    stored: bool,
    /// Why it is not, where it should have been.
    not_kept: Option<NotKeptInfo>,
}

/// Why a file isn't kept.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
struct NotKeptInfo {
    reason: NotKept,
    missing_bytes: Option<u64>,
}

/// What loading gave, and why the file isn't kept if it isn't.
struct LoadedWith<B: Backend> {
    loaded: Loaded<B>,
    not_kept: Option<NotKeptInfo>,
}

impl Info {
    fn new<B: Backend>(
        outcome: &LoadedWith<B>,
        backend: &'static str,
        adapter: String,
        tier: &'static str,
        fallback: Option<Fallback>,
    ) -> Self {
        let LoadedWith { loaded, not_kept } = outcome;
        let config = &loaded.engine.model().config;
        let dimensions = &config.dimensions;
        Self {
            model: ModelInfo {
                name: config.name.clone(),
                architecture: config.architecture.clone(),
                parameters: config.parameters,
                quantization: config.quantization.clone(),
                context_length: dimensions.context,
                thinking: match [Some(true), Some(false)].map(|thinking| loaded.engine.thinks(thinking)) {
                    [_, true] => "always",
                    [true, false] => "optional",
                    [false, false] => "never",
                },
                tools: loaded.engine.takes_tools(),
            },
            backend,
            adapter,
            tier,
            fallback,
            memory: MemoryInfo {
                weights_bytes: loaded.weights_bytes,
                kv_cache_bytes: dimensions.kv_cache_bytes(),
                wasm_bytes: wasm_bytes(),
            },
            stored: loaded.stored,
            not_kept: not_kept.filter(|_| !loaded.stored),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ModelInfo {
    name: String,
    architecture: String,
    parameters: u64,
    quantization: String,
    context_length: usize,
    thinking: &'static str,
    tools: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MemoryInfo {
    weights_bytes: u64,
    kv_cache_bytes: u64,
    wasm_bytes: u64,
}

/// [`Counters`], in JavaScript's spelling.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CountersInfo {
    tokens: u64,
    dispatches: u64,
    passes: u64,
    submits: u64,
    bytes_written: u64,
    bytes_read: u64,
    bind_groups_created: u64,
    weight_bytes_read: u64,
}

impl From<Counters> for CountersInfo {
    fn from(counters: Counters) -> Self {
        let Counters {
            tokens,
            dispatches,
            passes,
            submits,
            bytes_written,
            bytes_read,
            bind_groups_created,
            weight_bytes_read,
        } = counters;
        Self { tokens, dispatches, passes, submits, bytes_written, bytes_read, bind_groups_created, weight_bytes_read }
    }
}

#[derive(Serialize)]
struct ReplyCountersInfo {
    prefill: CountersInfo,
    decode: CountersInfo,
}

/// What was left out of a conversation.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SlideInfo {
    dropped_messages: usize,
    prompt_tokens: usize,
}

/// Has `callback` called with a message when Rust panics. The module is dead then, and pending promises never settle.
#[wasm_bindgen]
pub fn set_panic_handler(callback: Function) {
    panic::set_handler(callback);
}

#[wasm_bindgen]
impl WasmEngine {
    /// Loads a model. `options`: `{ address, urls, sha256?, backend, tier, contextLength?, kvCache, cache, patienceMs }`; it is
    /// kept in `store` under `address`. `on_progress` gets the [`Progress`] after each record and while it waits.
    pub async fn load(
        options: JsValue,
        store: Option<ModelStore>,
        client: HttpClient,
        on_progress: Function,
        signal: AbortSignal,
    ) -> std::result::Result<WasmEngine, JsValue> {
        Self::load_inner(options, store, client, on_progress, signal).await.map_err(to_js_error)
    }

    /// What there is to know: `EngineInfo` of `qwisp.d.ts`.
    pub fn info(&self) -> std::result::Result<JsValue, JsValue> {
        to_js(&self.info).map_err(to_js_error)
    }

    /// Answers a conversation; `on_piece` gets thoughts and answer piece by piece, as `{ thinking, text }`. `on_slide` gets
    /// `{ droppedMessages, promptTokens }` first when messages were left out.
    pub async fn chat(
        &mut self,
        messages: JsValue,
        options: JsValue,
        on_piece: Function,
        on_slide: Function,
        signal: AbortSignal,
    ) -> std::result::Result<JsValue, JsValue> {
        self.chat_inner(messages, options, on_piece, on_slide, signal).await.map_err(to_js_error)
    }

    /// The token ids of a text; with `special`, control tokens written in it are recognised.
    pub fn tokenize(&self, text: &str, special: bool) -> std::result::Result<Uint32Array, JsValue> {
        let ids =
            with_engine!(&self.engine, engine => engine.tokenizer().encode(text, special)).map_err(to_js_error)?;
        Ok(Uint32Array::from(&ids[..]))
    }

    /// The text of token ids.
    pub fn detokenize(&self, ids: &[u32]) -> std::result::Result<String, JsValue> {
        with_engine!(&self.engine, engine => engine.tokenizer().decode(ids)).map_err(to_js_error)
    }

    /// Teacher forcing: [`Engine::score`].
    pub async fn score(
        &mut self,
        ids: Vec<u32>,
        from: usize,
        top_k: usize,
        signal: AbortSignal,
    ) -> std::result::Result<JsValue, JsValue> {
        let aborted = || signal.aborted();
        let scores = with_engine!(&mut self.engine, engine => engine.score(&ids, from, top_k, aborted).await);
        to_js(&scores.map_err(to_js_error)?).map_err(to_js_error)
    }

    /// What the last reply asked of the device.
    pub fn counters(&self) -> std::result::Result<JsValue, JsValue> {
        let counters = with_engine!(&self.engine, engine => engine.counters());
        let info = ReplyCountersInfo { prefill: counters.prefill.into(), decode: counters.decode.into() };
        to_js(&info).map_err(to_js_error)
    }

    /// Bytes per second that what computes can copy.
    pub async fn measure_bandwidth(&self) -> std::result::Result<f64, JsValue> {
        let bandwidth = match &self.engine {
            AnyEngine::Webgpu(engine) => gpu::bandwidth::measure_bandwidth(engine.model().backend().device()).await,
            AnyEngine::Cpu(_) => cpu::bandwidth::measure_bandwidth(),
        };
        bandwidth.map_err(to_js_error)
    }
}

impl WasmEngine {
    async fn load_inner(
        options: JsValue,
        store: Option<ModelStore>,
        client: HttpClient,
        on_progress: Function,
        signal: AbortSignal,
    ) -> Result<Self> {
        let options: Options = from_js("options", options)?;
        let store = store.map(IndexedDb::new);
        let source = HttpSource::new(client, options.urls.clone());
        let kv_cache = kv_cache_format(&options.kv_cache)?;
        let test = async |device: &gpu::device::Device| test_gpu(device, kv_cache).await;
        let Choice { computer, fallback, .. } = Choice::by(&options.backend, &options.tier, test).await?;
        match computer {
            Computer::Webgpu(device) => {
                let (adapter, tier) = (device.adapter_name.clone(), device.tier.name());
                let outcome = load_on(&device, &options, kv_cache, store.as_ref(), &source, on_progress, signal).await;
                let outcome = outcome.inspect_err(|_| {
                    // The worker may load again. In a browser, dropping a device would free nothing for a while.
                    device.device.destroy();
                })?;
                let info = Info::new(&outcome, "webgpu", adapter, tier, fallback);
                Ok(Self { engine: AnyEngine::Webgpu(Box::new(outcome.loaded.engine)), info })
            }
            Computer::Cpu => {
                let cpu = cpu::Processor;
                let outcome = load_on(&cpu, &options, kv_cache, store.as_ref(), &source, on_progress, signal).await?;
                let info = Info::new(&outcome, "cpu", cpu::NAME.to_string(), cpu::TIER, fallback);
                Ok(Self { engine: AnyEngine::Cpu(Box::new(outcome.loaded.engine)), info })
            }
        }
    }

    async fn chat_inner(
        &mut self,
        messages: JsValue,
        options: JsValue,
        on_piece: Function,
        on_slide: Function,
        signal: AbortSignal,
    ) -> Result<JsValue> {
        let messages: Vec<Message> = from_js("messages", messages)?;
        let chat_options: ChatOptions = from_js("options", options.clone())?;
        let sampling = self.sampling_from(&options, &chat_options)?;
        let on_piece = |piece: &Piece| {
            if let Ok(piece) = to_js(piece) {
                // What a listener throws is its own affair.
                let _ = on_piece.call1(&JsValue::NULL, &piece);
            }
        };
        let prompt = with_engine!(&self.engine, engine => engine.fit_prompt(&messages, &chat_options))?;
        if prompt.dropped_messages > 0 {
            let slide = SlideInfo { dropped_messages: prompt.dropped_messages, prompt_tokens: prompt.tokens.len() };
            let _ = on_slide.call1(&JsValue::NULL, &to_js(&slide)?);
        }
        let aborted = || signal.aborted();
        let reply = with_engine!(&mut self.engine, engine => {
            engine.answer(prompt, &chat_options, &sampling, on_piece, aborted).await
        });
        to_js(&reply?)
    }

    /// The settings of an answer: what the caller chose, over what suits the model and its mode, and a seed of its own.
    fn sampling_from(&self, options: &JsValue, chat_options: &ChatOptions) -> Result<Sampling> {
        let mut sampling: Sampling = from_js("options", options.clone())?;
        let recommended =
            Sampling::recommended(with_engine!(&self.engine, engine => engine.thinks(chat_options.thinking)));
        let is_open = |name: &str| js_sys::Reflect::get(options, &name.into()).unwrap_or_default().is_undefined();
        if is_open("temperature") {
            sampling.temperature = recommended.temperature;
        }
        if is_open("topP") {
            sampling.top_p = recommended.top_p;
        }
        if is_open("seed") {
            sampling.seed = (js_sys::Math::random() * (1u64 << 53) as f64) as u64;
        }
        Ok(sampling)
    }
}

/// The format of the KV cache that callers name so.
fn kv_cache_format(name: &str) -> Result<KvCacheFormat> {
    KvCacheFormat::by_name(name).ok_or_else(|| {
        Error::new(ErrorKind::InvalidArgument, "there is no such format of the KV cache")
            .at("kvCache")
            .got(format!("\"{name}\""))
            .expected("\"f16\" or \"q8\"")
    })
}

/// Loads a model onto a backend of `platform`.
async fn load_on<P: Platform>(
    platform: &P,
    options: &Options,
    kv_cache: KvCacheFormat,
    store: Option<&IndexedDb>,
    source: &HttpSource,
    on_progress: Function,
    signal: AbortSignal,
) -> Result<LoadedWith<P::Backend>> {
    let load_options = LoadOptions {
        sha256: options.sha256.clone(),
        context_length: options.context_length,
        kv_cache,
        patience: Duration::try_from_secs_f64(options.patience_ms / 1000.0).unwrap_or_default(),
    };
    // A browser that refuses to store anything can still chat.
    let is_refused = options.cache && store.is_none();
    let mut notice = is_refused.then_some(Notice::NotKept { reason: NotKept::Refused, missing_bytes: None });
    // Apart, because a later notice of something else doesn't undo it.
    let mut not_kept = is_refused.then_some(NotKeptInfo { reason: NotKept::Refused, missing_bytes: None });
    let report = |progress: Progress| {
        if signal.aborted() {
            return ControlFlow::Break(());
        }
        notice = progress.notice.or(notice);
        if let Some(Notice::NotKept { reason, missing_bytes }) = notice {
            not_kept = Some(NotKeptInfo { reason, missing_bytes });
        }
        if let Ok(progress) = to_js(&Progress { notice, ..progress }) {
            // What a listener throws is its own affair.
            let _ = on_progress.call1(&JsValue::NULL, &progress);
        }
        ControlFlow::Continue(())
    };
    let loaded = load(platform, &options.address, &load_options, store, source, report).await?;
    Ok(LoadedWith { loaded, not_kept })
}

/// The size of this module's memory, which never shrinks.
fn wasm_bytes() -> u64 {
    const PAGE_BYTES: u64 = 65_536;
    core::arch::wasm32::memory_size(0) as u64 * PAGE_BYTES
}
