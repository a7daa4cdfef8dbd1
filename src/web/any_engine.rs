//! What computes: a GPU where there is one, or the processor; and an engine on either.

use super::Options;
use crate::backend::cpu::CpuBackend;
use crate::backend::gpu::GpuBackend;
use crate::backend::gpu::device::Device;
use crate::engine::Engine;
use crate::error::{Error, ErrorKind, Result};

/// An engine on whatever computes.
pub(super) enum AnyEngine {
    /// On a GPU.
    Webgpu(Box<Engine<GpuBackend>>),
    /// On the processor.
    Cpu(Box<Engine<CpuBackend>>),
}

/// Evaluates an expression with the engine that an [`AnyEngine`] is, of either type.
macro_rules! with_engine {
    ($any:expr, $engine:ident => $value:expr) => {
        match $any {
            crate::web::any_engine::AnyEngine::Webgpu($engine) => $value,
            crate::web::any_engine::AnyEngine::Cpu($engine) => $value,
        }
    };
}
pub(super) use with_engine;

/// What is to compute.
pub(super) enum Choice {
    /// This GPU.
    Webgpu(Device),
    /// The processor.
    Cpu,
}

impl Choice {
    /// What `options.backend` asks for. `"auto"` is WebGPU where it is there on a GPU, and the processor elsewhere: a software
    /// adapter is the processor, too, but by a detour. A tier is one of WebGPU's.
    ///
    /// # Errors
    /// `no-webgpu` when WebGPU was asked for and there is none, `invalid-argument` for another name, and for a tier that
    /// there isn't.
    pub(super) async fn by(options: &Options) -> Result<Self> {
        let tier = Some(options.tier.as_str()).filter(|tier| *tier != "auto");
        match (options.backend.as_str(), tier) {
            ("webgpu", tier) | ("auto", tier @ Some(_)) => Ok(Self::Webgpu(Device::open(tier).await?)),
            ("auto", None) => match Device::open(None).await {
                Ok(device) if device.is_software => {
                    device.device.destroy();
                    Ok(Self::Cpu)
                }
                Ok(device) => Ok(Self::Webgpu(device)),
                // None, or one that fails before it has done anything.
                Err(error) if matches!(error.kind(), ErrorKind::NoWebgpu | ErrorKind::DeviceLost) => Ok(Self::Cpu),
                Err(error) => Err(error),
            },
            ("cpu", None) => Ok(Self::Cpu),
            ("cpu", Some(tier)) => Err(Error::new(ErrorKind::InvalidArgument, "the processor has no tiers")
                .at("tier")
                .got(format!("\"{tier}\""))
                .expected("\"auto\"")),
            (backend, _) => Err(Error::new(ErrorKind::InvalidArgument, "there is no such backend")
                .at("backend")
                .got(format!("\"{backend}\""))
                .expected("\"auto\", \"webgpu\" or \"cpu\"")),
        }
    }
}
