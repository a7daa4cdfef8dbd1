//! What the examples share.

use std::ops::ControlFlow;
use std::path::Path;

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
    let options = LoadOptions { context_length, ..LoadOptions::default() };
    let open = async || FileSource::open(model);
    let loaded = load(device, "", &options, None::<&MemoryStore>, open, |_| ControlFlow::Continue(())).await?;
    Ok(loaded.engine)
}
