//! What the examples share.

#![allow(dead_code, reason = "every example uses a part of it")]

use std::ops::ControlFlow;
use std::path::Path;

use qwisp::backend::cpu::{self, CpuBackend};
use qwisp::backend::gpu::{GpuBackend, device::Device};
use qwisp::backend::{KvCacheFormat, Platform};
use qwisp::engine::Engine;
use qwisp::fetch::FileSource;
use qwisp::load::{LoadOptions, load};
use qwisp::store::MemoryStore;

/// The format of the KV cache that an option asks for.
pub(crate) fn kv_cache_format(name: Option<String>) -> Result<KvCacheFormat, String> {
    let format = name.as_deref().and_then(KvCacheFormat::by_name);
    format.ok_or_else(|| format!("--kv-cache: expected f16 or q8, got {name:?}"))
}

/// Loads a model file onto this machine's GPU, with room for `context_length` tokens (4096 by default), for the named tier
/// (by default the best one that the GPU offers).
pub(crate) async fn load_engine(
    model: &Path,
    context_length: Option<usize>,
    tier: Option<&str>,
    kv_cache: KvCacheFormat,
) -> qwisp::Result<Engine<GpuBackend>> {
    let device = Device::open(tier).await?;
    eprintln!("{} on {}, tier {}", model.display(), device.adapter_name, device.tier.name());
    load_on(&device, model, context_length, kv_cache).await
}

/// Loads a model file onto this machine's processor.
pub(crate) async fn load_engine_on_cpu(
    model: &Path,
    context_length: Option<usize>,
    kv_cache: KvCacheFormat,
) -> qwisp::Result<Engine<CpuBackend>> {
    eprintln!("{} on the processor, {}", model.display(), cpu::NAME);
    load_on(&cpu::Processor, model, context_length, kv_cache).await
}

async fn load_on<P: Platform>(
    platform: &P,
    model: &Path,
    context_length: Option<usize>,
    kv_cache: KvCacheFormat,
) -> qwisp::Result<Engine<P::Backend>> {
    let options = LoadOptions { context_length, kv_cache, ..LoadOptions::default() };
    let source = FileSource::open(model)?;
    let loaded = load(platform, "", &options, None::<&MemoryStore>, &source, |_| ControlFlow::Continue(())).await?;
    Ok(loaded.engine)
}
