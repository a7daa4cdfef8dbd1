//! Recording work as data, and running it.
//!
//! Operations append dispatches; [`Recorder::submit`] encodes them all in one compute pass. Pipelines are made once for
//! each variant and bind groups once for each set of buffers.

use std::collections::HashMap;

use super::device::Device;
use super::shaders::Variant;
use crate::backend::Counters;
use crate::error::{Error, ErrorKind, Result};

/// The work after which a submission is cut, in multiply-adds. A phone's GPU takes a fraction of a second for it: short
/// enough that neither a watchdog nor the screen's next frame has to wait for a whole prefill.
const SUBMISSION_MULTIPLY_ADDS: u64 = 4_000_000_000;

/// One kernel launch.
struct Dispatch {
    pipeline: usize,
    bind_group: wgpu::BindGroup,
    workgroups: [u32; 3],
}

/// Which bind group a dispatch needs: the pipeline, and the buffer of each binding.
type BindGroupKey = (usize, Vec<(u32, wgpu::Buffer)>);

/// Collects dispatches and hands them to the device.
pub struct Recorder {
    device: Device,
    pipelines: Vec<(Variant, wgpu::ComputePipeline)>,
    bind_groups: HashMap<BindGroupKey, wgpu::BindGroup>,
    dispatches: Vec<Dispatch>,
    multiply_adds: u64,
    counters: Counters,
}

impl Recorder {
    /// A recorder with nothing recorded.
    pub fn new(device: Device) -> Self {
        Self {
            device,
            pipelines: Vec::new(),
            bind_groups: HashMap::new(),
            dispatches: Vec::new(),
            multiply_adds: 0,
            counters: Counters::default(),
        }
    }

    /// The device that this recorder works for.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// What has been asked of the device so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Takes note of tokens that the work being recorded computes.
    pub(super) fn count_tokens(&mut self, tokens: usize) {
        self.counters.tokens += tokens as u64;
    }

    /// Appends a launch of `variant` over `workgroups` workgroups, with `buffers` as pairs of binding and buffer.
    /// `multiply_adds` estimates its work, by which submissions are cut.
    pub fn dispatch(
        &mut self,
        variant: &Variant,
        buffers: &[(u32, &wgpu::Buffer)],
        workgroups: [usize; 3],
        multiply_adds: u64,
    ) {
        let pipeline = self.pipeline(variant);
        let bind_group = self.bind_group(pipeline, buffers);
        // Sizes are checked when a model is loaded: no count of workgroups comes near 2³².
        self.dispatches.push(Dispatch { pipeline, bind_group, workgroups: workgroups.map(|count| count as u32) });
        self.multiply_adds += multiply_adds;
        if self.multiply_adds >= SUBMISSION_MULTIPLY_ADDS {
            self.submit();
        }
    }

    /// Hands what was recorded to the device, in one compute pass. Does nothing when nothing was recorded.
    pub fn submit(&mut self) {
        if !self.dispatches.is_empty() {
            let encoder = self.encode();
            self.hand_over(encoder);
        }
    }

    /// Hands over what was recorded and waits until the device has done it, and all writes.
    ///
    /// # Errors
    /// The first fault that the device reported.
    pub async fn wait(&mut self) -> Result<()> {
        // Even an empty submission carries out the writes before it.
        let encoder = self.encode();
        self.hand_over(encoder);
        self.device.idle().await
    }

    /// Forgets what was recorded.
    pub fn discard(&mut self) {
        self.dispatches.clear();
        self.multiply_adds = 0;
    }

    /// Encodes what was recorded, in one compute pass.
    fn encode(&mut self) -> wgpu::CommandEncoder {
        let mut encoder = self.device.device.create_command_encoder(&Default::default());
        if !self.dispatches.is_empty() {
            let mut pass = encoder.begin_compute_pass(&Default::default());
            for dispatch in &self.dispatches {
                let [x, y, z] = dispatch.workgroups;
                pass.set_pipeline(&self.pipelines[dispatch.pipeline].1);
                pass.set_bind_group(0, &dispatch.bind_group, &[]);
                pass.dispatch_workgroups(x, y, z);
            }
            drop(pass);
            self.counters.dispatches += self.dispatches.len() as u64;
            self.counters.passes += 1;
            self.discard();
        }
        encoder
    }

    fn hand_over(&mut self, encoder: wgpu::CommandEncoder) {
        self.device.queue.submit([encoder.finish()]);
        self.counters.submits += 1;
    }

    /// Writes small values from the host, before whatever is submitted next.
    pub fn write(&mut self, buffer: &wgpu::Buffer, bytes: &[u8]) {
        self.device.queue.write_buffer(buffer, 0, bytes);
        self.counters.bytes_written += bytes.len() as u64;
    }

    /// Runs what was recorded and reads the first `floats` of `source` back through `staging`.
    ///
    /// # Errors
    /// The first fault that the device reported.
    pub async fn read(&mut self, source: &wgpu::Buffer, staging: &wgpu::Buffer, floats: usize) -> Result<Vec<f32>> {
        let bytes = floats as u64 * 4;
        let mut encoder = self.encode();
        encoder.copy_buffer_to_buffer(source, 0, staging, 0, bytes);
        self.hand_over(encoder);
        self.counters.bytes_read += bytes;

        let (sender, receiver) = futures_channel::oneshot::channel();
        staging.map_async(wgpu::MapMode::Read, 0..bytes, move |result| {
            let _ = sender.send(result); // the receiver is gone only when nobody waits any longer
        });
        self.device.poll();
        match receiver.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(self.device.fault_or("reading back from the GPU failed", error)),
            Err(error) => return Err(self.device.fault_or("reading back from the GPU failed", error)),
        }
        let mapped = staging
            .get_mapped_range(0..bytes)
            .map_err(|error| Error::new(ErrorKind::DeviceLost, "reading back from the GPU failed").got(error))?;
        let values = bytemuck::pod_collect_to_vec(&mapped);
        drop(mapped);
        staging.unmap();
        self.device.check()?;
        Ok(values)
    }

    fn pipeline(&mut self, variant: &Variant) -> usize {
        if let Some(index) = self.pipelines.iter().position(|(known, _)| known == variant) {
            return index;
        }
        let device = &self.device.device;
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some(variant.kernel),
            source: wgpu::ShaderSource::Wgsl(variant.source().into()),
        });
        let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(variant.kernel),
            layout: None,
            module: &module,
            entry_point: Some("main"),
            compilation_options: Default::default(),
            cache: None,
        });
        self.pipelines.push((variant.clone(), pipeline));
        self.pipelines.len() - 1
    }

    fn bind_group(&mut self, pipeline: usize, buffers: &[(u32, &wgpu::Buffer)]) -> wgpu::BindGroup {
        let key = (pipeline, buffers.iter().map(|&(binding, buffer)| (binding, buffer.clone())).collect());
        self.bind_groups
            .entry(key)
            .or_insert_with(|| {
                self.counters.bind_groups_created += 1;
                let entries: Vec<_> = buffers
                    .iter()
                    .map(|&(binding, buffer)| wgpu::BindGroupEntry { binding, resource: buffer.as_entire_binding() })
                    .collect();
                self.device.device.create_bind_group(&wgpu::BindGroupDescriptor {
                    label: None,
                    layout: &self.pipelines[pipeline].1.get_bind_group_layout(0),
                    entries: &entries,
                })
            })
            .clone()
    }
}
