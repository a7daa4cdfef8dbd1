//! Whether subgroups are as kernels need them: `shaders/subgroup_order.wgsl`.

use crate::backend::gpu::device::Device;
use crate::backend::gpu::recorder::Recorder;
use crate::backend::gpu::shaders::Variant;
use crate::error::Result;

/// Threads of the workgroup, as many as the largest that sums in subgroups.
const THREADS: usize = 128;

/// Asks a device how it forms subgroups.
pub struct SubgroupOrder;

impl SubgroupOrder {
    /// Whether subgroups hold consecutive threads, at least `min_size` of them, and kernels that use them compile.
    ///
    /// # Errors
    /// What the device reports.
    pub async fn is_consecutive(device: &Device, min_size: u32) -> Result<bool> {
        let mut recorder = Recorder::new(device.clone());
        let buffer = |usage| device.buffer("subgroup order", (THREADS * size_of::<[u32; 2]>()) as u64, usage);
        let order = buffer(wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC);
        let staging = buffer(wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST);
        // A driver that refuses the kernel only loses the tier.
        let scope = device.device.push_error_scope(wgpu::ErrorFilter::Validation);
        recorder.dispatch(&Self::variant(), &[(0, &order)], [1, 1, 1], 0);
        if scope.pop().await.is_some() {
            return Ok(false);
        }
        let order = recorder.read(&order, &staging, 2 * THREADS).await?;
        Ok(order.chunks(2).zip(0..).all(|(pair, thread)| {
            let (place, size) = (pair[0].to_bits(), pair[1].to_bits());
            size >= min_size && place == thread % size
        }))
    }

    /// The kernel.
    pub fn variant() -> Variant {
        Variant::new("subgroup_order", Vec::new())
    }
}
