//! Bytes on their way back to the host.

use super::device::Device;
use crate::error::{Error, ErrorKind, Result};

/// A copy that was handed to the device and will be readable. Several may be under way at once.
pub(super) struct Readback {
    staging: wgpu::Buffer,
    bytes: u64,
    submission: wgpu::SubmissionIndex,
    mapped: futures_channel::oneshot::Receiver<std::result::Result<(), wgpu::BufferAsyncError>>,
}

impl Readback {
    /// Asks for the first `bytes` of `staging`, which the `submission` fills.
    pub(super) fn start(staging: wgpu::Buffer, bytes: u64, submission: wgpu::SubmissionIndex) -> Self {
        let (sender, mapped) = futures_channel::oneshot::channel();
        staging.map_async(wgpu::MapMode::Read, 0..bytes, move |result| {
            let _ = sender.send(result); // the receiver is gone only when nobody waits any longer
        });
        Self { staging, bytes, submission, mapped }
    }

    /// Waits for the bytes and hands them to `read`. Returns what that made of them, and the staging buffer for the next
    /// copy.
    ///
    /// # Errors
    /// The first fault that the device reported.
    pub(super) async fn finish<T>(self, device: &Device, read: impl FnOnce(&[u8]) -> T) -> Result<(T, wgpu::Buffer)> {
        const FAILED: &str = "reading back from the GPU failed";
        device.poll(self.submission);
        // What was never submitted because of a fault is never mapped either, natively: nobody would answer.
        device.check()?;
        match self.mapped.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(device.fault_or(FAILED, error)),
            Err(error) => return Err(device.fault_or(FAILED, error)),
        }
        let mapped = self
            .staging
            .get_mapped_range(0..self.bytes)
            .map_err(|error| Error::new(ErrorKind::DeviceLost, FAILED).got(error))?;
        let value = read(&mapped);
        drop(mapped);
        self.staging.unmap();
        device.check()?;
        Ok((value, self.staging))
    }
}
