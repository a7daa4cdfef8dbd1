//! The GPU that tests run on: the one that the system prefers, on a machine without one Mesa's software driver.

use bytemuck::Pod;
use pollster::block_on;
use qwisp::ErrorKind;
use qwisp::backend::gpu::Step;
use qwisp::backend::gpu::device::Device;
use qwisp::backend::gpu::recorder::Recorder;
use qwisp::backend::gpu::tier::Tier;
use wgpu::BufferUsages;
use wgpu::util::{BufferInitDescriptor, DeviceExt};

/// Opens the device with core WebGPU alone, so that its numbers are as exact on every machine. A test that needs a device
/// fails without: it is never skipped.
pub(crate) fn open_device() -> Device {
    open_tier(Tier::Core.name()).expect("every device offers the tier of core WebGPU")
}

/// Opens the device once for each tier that it offers, one at a time.
pub(crate) fn open_tiers() -> impl Iterator<Item = Device> {
    Tier::NAMES.into_iter().filter_map(open_tier)
}

/// Opens the device for a tier; `None` where it doesn't offer that.
fn open_tier(name: &str) -> Option<Device> {
    match block_on(Device::open(Some(name))) {
        Ok(device) => {
            assert_eq!(device.tier.name(), name, "the tier that was asked for");
            Some(device)
        }
        Err(error) if error.kind() == ErrorKind::InvalidArgument => None,
        Err(error) => {
            panic!("{error}\nThese tests need a Vulkan driver; on Debian: apt-get install mesa-vulkan-drivers")
        }
    }
}

/// A device for a test of single kernels: makes buffers, records, reads back.
pub(crate) struct Gpu {
    /// What operations are recorded on.
    pub(crate) recorder: Recorder,
}

impl Gpu {
    /// Opens the device, as [`open_device`] does.
    pub(crate) fn open() -> Self {
        Self { recorder: Recorder::new(open_device()) }
    }

    /// Opens the device for each of its tiers, as [`open_tiers`] does.
    pub(crate) fn open_tiers() -> impl Iterator<Item = Self> {
        open_tiers().map(|device| Self { recorder: Recorder::new(device) })
    }

    /// What its kernels may use.
    pub(crate) fn tier(&self) -> Tier {
        self.device().tier
    }

    /// The device.
    pub(crate) fn device(&self) -> &Device {
        self.recorder.device()
    }

    /// A storage buffer of these values.
    pub(crate) fn buffer<T: Pod>(&self, values: &[T]) -> wgpu::Buffer {
        self.buffer_for(values, BufferUsages::STORAGE | BufferUsages::COPY_SRC)
    }

    /// The uniform buffer of a pass.
    pub(crate) fn step(&self, step: Step) -> wgpu::Buffer {
        self.uniform(step)
    }

    /// A uniform buffer of any other settings.
    pub(crate) fn uniform<T: Pod>(&self, settings: T) -> wgpu::Buffer {
        self.uniform_values(&[settings])
    }

    /// A uniform buffer of these values.
    pub(crate) fn uniform_values<T: Pod>(&self, values: &[T]) -> wgpu::Buffer {
        self.buffer_for(values, BufferUsages::UNIFORM)
    }

    /// Runs what was recorded and reads a storage buffer of whole words.
    pub(crate) fn read_words(&mut self, buffer: &wgpu::Buffer) -> Vec<u32> {
        self.read(buffer).into_iter().map(f32::to_bits).collect()
    }

    /// Runs what was recorded and reads a storage buffer.
    pub(crate) fn read(&mut self, buffer: &wgpu::Buffer) -> Vec<f32> {
        let staging = self.device().device.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size: buffer.size(),
            usage: BufferUsages::MAP_READ | BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let floats = buffer.size() as usize / size_of::<f32>();
        block_on(self.recorder.read(buffer, &staging, floats)).expect("the GPU computes and is read back")
    }

    fn buffer_for<T: Pod>(&self, values: &[T], usage: BufferUsages) -> wgpu::Buffer {
        let contents = bytemuck::cast_slice(values);
        self.device().device.create_buffer_init(&BufferInitDescriptor { label: None, contents, usage })
    }
}
