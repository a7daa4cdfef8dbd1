//! The GPU that tests run on: the one that the system prefers, on a machine without one Mesa's software driver.

use bytemuck::Pod;
use pollster::block_on;
use qwisp::backend::gpu::Step;
use qwisp::backend::gpu::device::Device;
use qwisp::backend::gpu::recorder::Recorder;
use wgpu::BufferUsages;
use wgpu::util::{BufferInitDescriptor, DeviceExt};

/// Opens the device. A test that needs one fails without: it is never skipped.
pub(crate) fn open_device() -> Device {
    block_on(Device::open(None)).unwrap_or_else(|error| {
        panic!("{error}\nThese tests need a Vulkan driver; on Debian: apt-get install mesa-vulkan-drivers")
    })
}

/// A device for a test of single kernels: makes buffers, records, reads back.
pub(crate) struct Gpu {
    /// What operations are recorded on.
    pub(crate) recorder: Recorder,
}

impl Gpu {
    /// Opens the device.
    pub(crate) fn open() -> Self {
        Self { recorder: Recorder::new(open_device()) }
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
        self.buffer_for(&[settings], BufferUsages::UNIFORM)
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
