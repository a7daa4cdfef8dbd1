//! What the examples share.

#![allow(dead_code, reason = "every example uses a part of it")]

use std::ops::ControlFlow;
use std::path::Path;

use qwisp::backend::cpu::{self, CpuBackend};
use qwisp::backend::gpu::{GpuBackend, device::Device};
use qwisp::backend::{Backend, Dimensions};
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
    load_on(|dimensions| GpuBackend::new(device.clone(), dimensions), model, context_length).await
}

/// Loads a model file onto this machine's processor.
pub(crate) async fn load_engine_on_cpu(
    model: &Path,
    context_length: Option<usize>,
) -> qwisp::Result<Engine<CpuBackend>> {
    eprintln!("{} on the processor, {}", model.display(), cpu::NAME);
    load_on(CpuBackend::new, model, context_length).await
}

async fn load_on<B: Backend>(
    new_backend: impl Fn(Dimensions) -> qwisp::Result<B>,
    model: &Path,
    context_length: Option<usize>,
) -> qwisp::Result<Engine<B>> {
    let options = LoadOptions { context_length, ..LoadOptions::default() };
    let open = async || FileSource::open(model);
    let loaded = load(new_backend, "", &options, None::<&MemoryStore>, open, |_| ControlFlow::Continue(())).await?;
    Ok(loaded.engine)
}
