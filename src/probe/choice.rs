//! What is to compute: a GPU where there is one that computes rightly, or the processor.

use super::choose_device::{Check, choose_device};
use super::fallback::{Fallback, FallbackReason};
use crate::backend::gpu::device::Device;
use crate::error::{Error, ErrorKind, Result};

/// What computes.
#[derive(Debug)]
pub enum Computer {
    /// This GPU, by WebGPU; or natively by Vulkan, Metal or DirectX 12.
    Webgpu(Device),
    /// The processor.
    Cpu,
}

/// What is to compute, and how it was chosen.
#[derive(Debug)]
pub struct Choice {
    /// What is to compute.
    pub computer: Computer,
    /// What was given up for it.
    pub fallback: Option<Fallback>,
    /// The self-tests, in their order.
    pub checks: Vec<Check>,
}

impl Choice {
    /// What the options `backend` and `tier` ask for. `"auto"` is WebGPU where it is there on a GPU that computes rightly, and the
    /// processor elsewhere: a software adapter is the processor, too, but by a detour. A tier is one of WebGPU's. `test` is the
    /// self-test.
    ///
    /// # Errors
    /// When WebGPU was asked for: those of [`Device::open`] and [`choose_device`]. [`ErrorKind::InvalidArgument`] for another
    /// name, and for a tier that there isn't.
    pub async fn by(backend: &str, tier: &str, test: impl AsyncFn(&Device) -> Result<()>) -> Result<Self> {
        let tier = Some(tier).filter(|tier| *tier != "auto");
        let mut checks = Vec::new();
        let (computer, fallback) = match (backend, tier) {
            ("webgpu", tier) | ("auto", tier @ Some(_)) => {
                let device = Device::open(tier).await?;
                let (device, fallback) = choose_device(device, tier, test, &mut checks).await?;
                (Computer::Webgpu(device), fallback)
            }
            ("auto", None) => match Self::gpu(test, &mut checks).await {
                Ok((device, fallback)) => (Computer::Webgpu(device), fallback),
                Err((error, reason)) => (Computer::Cpu, Some(Fallback::new("webgpu", error, reason)?)),
            },
            ("cpu", None) => (Computer::Cpu, None),
            ("cpu", Some(tier)) => {
                return Err(Error::new(ErrorKind::InvalidArgument, "the processor has no tiers")
                    .at("tier")
                    .got(format!("\"{tier}\""))
                    .expected("\"auto\""));
            }
            (backend, _) => {
                return Err(Error::new(ErrorKind::InvalidArgument, "there is no such backend")
                    .at("backend")
                    .got(format!("\"{backend}\""))
                    .expected("\"auto\", \"webgpu\" or \"cpu\""));
            }
        };
        Ok(Self { computer, fallback, checks })
    }

    /// The adapter if it is a GPU, tested; or why there is none, by an error and what it means if it is `no-webgpu`.
    async fn gpu(
        test: impl AsyncFn(&Device) -> Result<()>,
        checks: &mut Vec<Check>,
    ) -> std::result::Result<(Device, Option<Fallback>), (Error, FallbackReason)> {
        let device = Device::open(None).await.map_err(|error| (error, FallbackReason::NoWebgpu))?;
        if device.is_software {
            device.device.destroy();
            let error = Error::new(ErrorKind::NoWebgpu, "the WebGPU adapter is only software").got(device.adapter_name);
            return Err((error, FallbackReason::SoftwareAdapter));
        }
        choose_device(device, None, test, checks).await.map_err(|error| (error, FallbackReason::SelfTest))
    }
}
