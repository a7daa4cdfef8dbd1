//! What was tried and given up.

use serde::Serialize;

use crate::error::{Error, ErrorKind, Result};

/// Something that would have computed by itself, but doesn't.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fallback {
    /// What was given up: `"webgpu"`, or a tier of its kernels.
    pub from: &'static str,
    /// Why.
    pub reason: FallbackReason,
    /// The same for people, in English, with what was got and what was expected.
    pub message: String,
}

/// Why something was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FallbackReason {
    /// There is no WebGPU, no adapter, or none with the limits of core WebGPU.
    NoWebgpu,
    /// The adapter is no GPU, but the processor in its place.
    SoftwareAdapter,
    /// It computed wrongly in the self-test.
    SelfTest,
    /// It had no memory for the self-test.
    OutOfMemory,
    /// It was lost, or reported a fault, of a kernel that it doesn't take for instance.
    DeviceLost,
}

impl Fallback {
    /// Gives `from` up because of this error; `reason` is that of an [`ErrorKind::NoWebgpu`].
    ///
    /// # Errors
    /// The error itself if it says nothing of the device: then there is nothing to fall back from.
    pub(super) fn new(from: &'static str, error: Error, reason: FallbackReason) -> Result<Self> {
        let reason = match error.kind() {
            ErrorKind::NoWebgpu => reason,
            ErrorKind::OutOfMemory => FallbackReason::OutOfMemory,
            ErrorKind::DeviceLost => FallbackReason::DeviceLost,
            _ => return Err(error),
        };
        Ok(Self { from, reason, message: error.to_string() })
    }
}
