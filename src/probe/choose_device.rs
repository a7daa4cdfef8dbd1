//! The best tier of a GPU that computes rightly.

use serde::Serialize;

use super::fallback::{Fallback, FallbackReason};
use super::self_test::test_platform;
use crate::backend::KvCacheFormat;
use crate::backend::gpu::device::Device;
use crate::backend::gpu::tier::Tier;
use crate::error::{Error, ErrorKind, Result};

/// How a device did in the self-test on one tier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// The tier.
    pub tier: &'static str,
    /// Whether everything was right.
    pub passed: bool,
    /// What was not: the check, what was got and what was expected. Empty otherwise.
    pub detail: String,
}

/// Tests an open device, and where it fails on another tier than `core` that nobody asked for, opens it once more with `core`.
/// `tier` is what was asked for when it was opened, and `test` is [`test_device`] but in tests. Each test adds to `checks`.
/// Returns the device that is right, and which tier was given up for it.
///
/// # Errors
/// [`ErrorKind::NoWebgpu`] when the device isn't right, with the check that it failed; [`ErrorKind::OutOfMemory`] and
/// [`ErrorKind::DeviceLost`] when the test came to no end because of that.
pub async fn choose_device(
    device: Device,
    tier: Option<&str>,
    test: impl AsyncFn(&Device) -> Result<()>,
    checks: &mut Vec<Check>,
) -> Result<(Device, Option<Fallback>)> {
    let Err(error) = check(&device, &test, checks).await else { return Ok((device, None)) };
    // No tier needs less memory than another one.
    let may_fall_back = tier.is_none() && device.tier != Tier::Core && error.kind() != ErrorKind::OutOfMemory;
    device.device.destroy();
    if !may_fall_back {
        return Err(error);
    }
    let tier = device.tier.name();
    // Anew, because a device keeps the first fault that it reported. Where there is none to be had, the fault is why.
    let Ok(device) = Device::open(Some(Tier::Core.name())).await else { return Err(error) };
    let fallback = Fallback::new(tier, error, FallbackReason::SelfTest)?;
    match check(&device, &test, checks).await {
        Ok(()) => Ok((device, Some(fallback))),
        Err(error) => {
            device.device.destroy();
            Err(error)
        }
    }
}

async fn check(device: &Device, test: &impl AsyncFn(&Device) -> Result<()>, checks: &mut Vec<Check>) -> Result<()> {
    let tier = device.tier.name();
    let result = test(device).await.map_err(|error| {
        let kind = match error.kind() {
            ErrorKind::OutOfMemory => ErrorKind::OutOfMemory,
            // What the device says of itself. Without that it has computed something that is no number.
            ErrorKind::DeviceLost if device.check().is_err() => ErrorKind::DeviceLost,
            _ => ErrorKind::NoWebgpu,
        };
        Error::new(kind, "the GPU failed its self-test").at(format!("tier {tier}")).got(error)
    });
    let detail = result.as_ref().err().map(Error::to_string).unwrap_or_default();
    checks.push(Check { tier, passed: result.is_ok(), detail });
    result
}

/// The self-test of a device on its tier, with a KV cache in this format.
///
/// # Errors
/// Those of [`test_platform`].
pub async fn test_device(device: &Device, kv_cache: KvCacheFormat) -> Result<()> {
    // Far above what rounding makes of these logits on such a tier, and far below what a wrong kernel makes of them.
    let tolerance = match device.tier {
        Tier::Core | Tier::Subgroups { .. } => 1e-4,
        Tier::F16 => 1e-3,
        Tier::Packed => 1e-2,
    };
    test_platform(device, kv_cache, tolerance).await
}

/// The self-test of a device before a model is loaded onto it: [`test_device`] of a GPU. A software adapter is taken as it is.
/// Nobody gets one who didn't ask for it, and compiling the test's kernels takes it as long as half of a load.
///
/// # Errors
/// Those of [`test_device`].
pub async fn test_gpu(device: &Device, kv_cache: KvCacheFormat) -> Result<()> {
    if device.is_software { Ok(()) } else { test_device(device, kv_cache).await }
}
