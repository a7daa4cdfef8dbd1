//! Opening a GPU, and noticing when it fails.

use std::sync::{Arc, Mutex, PoisonError};

use super::adapter_info::{adapter_name, has_subgroups, is_software};
use super::operations::SubgroupOrder;
use super::shaders::Variant;
use super::tier::{Offer, Tier};
use crate::error::{Error, ErrorKind, Result};

/// The largest storage binding that core WebGPU guarantees, in bytes. No tensor is bound in larger pieces than this,
/// whatever the adapter allows, so that every device runs the same shapes.
pub const MAX_BINDING_BYTES: u64 = 128 << 20;

/// An open GPU device, its queue, and the first fault it reported.
#[derive(Debug, Clone)]
pub struct Device {
    /// The device.
    pub device: wgpu::Device,
    /// Its queue.
    pub queue: wgpu::Queue,
    /// What the adapter is called, `"NVIDIA GeForce RTX 4060"` or `"apple metal-3"` for instance; may be empty.
    pub adapter_name: String,
    /// Whether the adapter is no GPU, but the processor in its place.
    pub is_software: bool,
    /// What its kernels may use.
    pub tier: Tier,
    /// Where the text of a kernel comes from: [`Variant::source`]. Tests of what is done about wrong kernels put one there.
    pub shader_source: fn(&Variant, Tier) -> String,
    fault: Arc<Mutex<Option<Error>>>,
}

/// Work that the device was given, and will have done at some time.
pub(super) struct Promise {
    submission: wgpu::SubmissionIndex,
    done: futures_channel::oneshot::Receiver<()>,
}

impl Device {
    /// Opens the adapter that the system prefers for heavy work; `tier` names the tier to use instead of the best one.
    ///
    /// # Errors
    /// [`ErrorKind::NoWebgpu`] when there is no adapter or it gives no device with core WebGPU's limits,
    /// [`ErrorKind::InvalidArgument`] when there is no such tier on it.
    pub async fn open(tier: Option<&str>) -> Result<Self> {
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
        let adapter = instance
            .request_adapter(&wgpu::RequestAdapterOptions {
                power_preference: wgpu::PowerPreference::HighPerformance,
                ..Default::default()
            })
            .await
            .map_err(|error| no_webgpu("there is no WebGPU adapter", error))?;
        // Nothing is asked for that the tier has no use for.
        let features = match tier {
            None | Some("subgroups") => wgpu::Features::SUBGROUP,
            Some("f16") => wgpu::Features::SHADER_F16,
            Some(_) => wgpu::Features::empty(),
        };
        let (device, queue) = adapter
            .request_device(&wgpu::DeviceDescriptor {
                label: Some("qwisp"),
                required_features: adapter.features() & features,
                // Core WebGPU's own limits; buffers only as large as the largest tensor piece.
                required_limits: wgpu::Limits::default(),
                ..Default::default()
            })
            .await
            .map_err(|error| no_webgpu("the WebGPU adapter gives no device", error))?;

        let fault = Arc::new(Mutex::new(None));
        let on_error = fault.clone();
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
            let kind = match error {
                wgpu::Error::OutOfMemory { .. } => ErrorKind::OutOfMemory,
                _ => ErrorKind::DeviceLost,
            };
            keep_first(&on_error, Error::new(kind, "the GPU reported an error").got(error));
        }));
        let on_lost = fault.clone();
        device.set_device_lost_callback(move |reason, message| {
            if reason != wgpu::DeviceLostReason::Destroyed {
                keep_first(&on_lost, Error::new(ErrorKind::DeviceLost, "the GPU device was lost").got(message));
            }
        });
        let info = adapter.get_info();
        let packed = wgpu::WgslLanguageFeatures::Packed4x8IntegerDotProduct;
        let mut offer = Offer {
            subgroup_min_size: has_subgroups(&device)
                .then_some(info.subgroup_min_size)
                .filter(|size| size.is_power_of_two()),
            shader_f16: adapter.features().contains(wgpu::Features::SHADER_F16),
            packed_dot_product: instance.wgsl_language_features().contains(packed),
            is_software: info.device_type == wgpu::DeviceType::Cpu,
        };
        let adapter_name = adapter_name(&device, &info);
        let is_software = is_software(&device, &info);
        let mut device = Self {
            device,
            queue,
            adapter_name,
            is_software,
            tier: Tier::choose(tier, &offer)?,
            shader_source: Variant::source,
            fault,
        };
        if let Tier::Subgroups { min_size } = device.tier
            && !SubgroupOrder::is_consecutive(&device, min_size).await?
        {
            offer.subgroup_min_size = None;
            device.tier = Tier::choose(tier, &offer)?;
        }
        Ok(device)
    }

    /// A buffer of so many bytes, all zeros.
    pub(super) fn buffer(&self, label: &str, bytes: u64, usage: wgpu::BufferUsages) -> wgpu::Buffer {
        self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some(label),
            size: bytes,
            usage,
            mapped_at_creation: false,
        })
    }

    /// Fails with the first fault that the device reported since it was opened.
    pub fn check(&self) -> Result<()> {
        match &*self.fault.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(fault) => Err(fault.clone()),
            None => Ok(()),
        }
    }

    /// Runs what makes buffers, and waits for what the device says of it. Only asking tells whether a GPU has room: WebGPU
    /// doesn't say how much memory there is.
    ///
    /// # Errors
    /// Those of `make`; [`ErrorKind::OutOfMemory`] when there was no room for one of its buffers. None of them may be used
    /// then.
    pub async fn make_room<T>(&self, make: impl FnOnce() -> Result<T>) -> Result<T> {
        let scope = self.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let made = make();
        let refusal = scope.pop().await;
        let made = made?;
        match refusal {
            Some(error) => Err(Error::new(ErrorKind::OutOfMemory, "the device has no room").got(error)),
            None => Ok(made),
        }
    }

    /// A promise that everything up to `submission`, the last one so far, will be done.
    pub(super) fn promise(&self, submission: wgpu::SubmissionIndex) -> Promise {
        let (sender, done) = futures_channel::oneshot::channel();
        self.queue.on_submitted_work_done(move || {
            let _ = sender.send(()); // the receiver is gone only when nobody waits any longer
        });
        Promise { submission, done }
    }

    /// Waits until a promise is kept.
    ///
    /// # Errors
    /// The first fault that the device reported.
    pub(super) async fn wait(&self, promise: Promise) -> Result<()> {
        self.poll(promise.submission);
        // What was never submitted because of a fault is never done either, natively: nobody would answer.
        self.check()?;
        // A sender that is dropped means a lost device, which `check` reports.
        let _ = promise.done.await;
        self.check()
    }

    /// Drives callbacks natively, where nobody else does, until a submission is done; in a browser they come from its event
    /// loop.
    #[cfg_attr(target_arch = "wasm32", expect(unused_variables, reason = "nothing is to be done there"))]
    pub(super) fn poll(&self, submission: wgpu::SubmissionIndex) {
        #[cfg(not(target_arch = "wasm32"))]
        if let Err(error) = self.device.poll(wgpu::PollType::Wait { submission_index: Some(submission), timeout: None })
        {
            keep_first(&self.fault, Error::new(ErrorKind::DeviceLost, "the GPU does not answer").got(error));
        }
    }

    /// Fails with the device's own fault, or else says that `what` went wrong.
    pub(super) fn fault_or(&self, what: &str, error: impl std::fmt::Display) -> Error {
        match self.check() {
            Err(fault) => fault,
            Ok(()) => Error::new(ErrorKind::DeviceLost, what).got(error),
        }
    }
}

fn keep_first(fault: &Mutex<Option<Error>>, error: Error) {
    fault.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
}

fn no_webgpu(what: &str, error: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::NoWebgpu, what).got(error)
}
