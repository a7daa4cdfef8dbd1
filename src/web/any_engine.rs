//! What computes: a GPU where there is one, or the processor; and an engine on either.

use crate::backend::cpu::CpuBackend;
use crate::backend::gpu::GpuBackend;
use crate::backend::gpu::device::Device;
use crate::engine::Engine;
use crate::error::{Error, ErrorKind, Result};
use crate::probe::{Check, choose_device};

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
    /// What the options `backend` and `tier` ask for. `"auto"` is WebGPU where it is there on a GPU that computes rightly, and the
    /// processor elsewhere: a software adapter is the processor, too, but by a detour. A tier is one of WebGPU's. `test` is the
    /// self-test, which adds to `checks`.
    ///
    /// # Errors
    /// `no-webgpu` when WebGPU was asked for and there is none or it computes wrongly, `invalid-argument` for another name, and
    /// for a tier that there isn't.
    pub(super) async fn by(
        backend: &str,
        tier: &str,
        test: impl AsyncFn(&Device) -> Result<()>,
        checks: &mut Vec<Check>,
    ) -> Result<Self> {
        let tier = Some(tier).filter(|tier| *tier != "auto");
        match (backend, tier) {
            ("webgpu", tier) | ("auto", tier @ Some(_)) => {
                let device = Device::open(tier).await?;
                Ok(Self::Webgpu(choose_device(device, tier, test, checks).await?))
            }
            ("auto", None) => match Self::gpu(test, checks).await {
                Ok(Some(device)) => Ok(Self::Webgpu(device)),
                Ok(None) => Ok(Self::Cpu),
                // None, one that fails before it has done anything, or one that computes wrongly.
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

    /// The adapter if it is a GPU, tested.
    async fn gpu(test: impl AsyncFn(&Device) -> Result<()>, checks: &mut Vec<Check>) -> Result<Option<Device>> {
        let device = Device::open(None).await?;
        if device.is_software {
            device.device.destroy();
            return Ok(None);
        }
        choose_device(device, None, test, checks).await.map(Some)
    }
}
