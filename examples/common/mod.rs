//! What the examples share.

#![allow(dead_code, reason = "every example uses a part of it")]

use std::ops::ControlFlow;
use std::path::Path;

use qwisp::backend::Platform;
use qwisp::backend::cpu::{self, CpuBackend};
use qwisp::backend::gpu::{GpuBackend, device::Device};
use qwisp::engine::Engine;
use qwisp::fetch::FileSource;
use qwisp::load::{LoadOptions, load};
use qwisp::store::MemoryStore;

/// Loads a model file onto this machine's GPU, with room for `context_length` tokens (4096 by default), for the named tier
/// (by default the best one that the GPU offers).
pub(crate) async fn load_engine(
    model: &Path,
    context_length: Option<usize>,
    tier: Option<&str>,
) -> qwisp::Result<Engine<GpuBackend>> {
    let device = Device::open(tier).await?;
    eprintln!("{} on {}, tier {}", model.display(), device.adapter_name, device.tier.name());
    load_on(&device, model, context_length).await
}

/// Loads a model file onto this machine's processor.
pub(crate) async fn load_engine_on_cpu(
    model: &Path,
    context_length: Option<usize>,
) -> qwisp::Result<Engine<CpuBackend>> {
    eprintln!("{} on the processor, {}", model.display(), cpu::NAME);
    load_on(&cpu::Processor, model, context_length).await
}

async fn load_on<P: Platform>(
    platform: &P,
    model: &Path,
    context_length: Option<usize>,
) -> qwisp::Result<Engine<P::Backend>> {
    let options = LoadOptions { context_length, ..LoadOptions::default() };
    let source = FileSource::open(model)?;
    let loaded = load(platform, "", &options, None::<&MemoryStore>, &source, |_| ControlFlow::Continue(())).await?;
    Ok(loaded.engine)
}
