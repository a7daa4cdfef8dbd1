//! Recording work as data, and running it.
//!
//! Operations append dispatches; [`Recorder::submit`] encodes them all in one compute pass. Pipelines are made once for
//! each variant and bind groups once for each set of buffers.

use std::collections::HashMap;

use super::device::{Device, Promise};
use super::readback::Readback;
use super::shaders::Variant;
use crate::backend::Counters;
use crate::error::Result;

/// The work after which a submission is cut, in multiply-adds. A phone's GPU takes a fraction of a second for it: short
/// enough that neither a watchdog nor the screen's next frame has to wait for a whole prefill.
const SUBMISSION_MULTIPLY_ADDS: u64 = 4_000_000_000;

/// Kernel launches in their order: a compute pass as data, which can be run as often as it is wanted.
#[derive(Default)]
pub struct Recording {
    dispatches: Vec<Dispatch>,
    multiply_adds: u64,
    weight_bytes: u64,
}

/// One kernel launch.
struct Dispatch {
    pipeline: usize,
    bind_group: wgpu::BindGroup,
    workgroups: [u32; 3],
}

/// Which bind group a dispatch needs: the pipeline, and the buffer of each binding with the offset that it is bound from.
type BindGroupKey = (usize, Vec<(u32, wgpu::Buffer, u64)>);

/// Collects dispatches and hands them to the device.
pub struct Recorder {
    device: Device,
    pipelines: Vec<(Variant, wgpu::ComputePipeline)>,
    bind_groups: HashMap<BindGroupKey, wgpu::BindGroup>,
    recording: Recording,
    /// Buffers that are not bound from their beginning at the moment, and the offsets in bytes.
    offsets: Vec<(wgpu::Buffer, u64)>,
    counters: Counters,
}

impl Recorder {
    /// A recorder with nothing recorded.
    pub fn new(device: Device) -> Self {
        Self {
            device,
            pipelines: Vec::new(),
            bind_groups: HashMap::new(),
            recording: Recording::default(),
            offsets: Vec::new(),
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

    /// Takes note of bytes of weights that the next dispatch reads.
    pub(super) fn count_weight_bytes(&mut self, bytes: u64) {
        self.recording.weight_bytes += bytes;
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
        let workgroups = workgroups.map(|count| count as u32);
        self.recording.dispatches.push(Dispatch { pipeline, bind_group, workgroups });
        self.recording.multiply_adds += multiply_adds;
    }

    /// Has what `record` appends bind these buffers from an offset in bytes on, a multiple of 256: what works on the first
    /// row of a buffer then works on another one.
    pub(super) fn with_offsets(&mut self, offsets: &[(&wgpu::Buffer, u64)], record: impl FnOnce(&mut Self)) {
        self.offsets = offsets.iter().map(|&(buffer, bytes)| (buffer.clone(), bytes)).collect();
        record(self);
        self.offsets.clear();
    }

    /// Hands over what was recorded if it is long enough by now: where long work may be cut.
    pub(super) fn submit_if_long(&mut self) {
        if self.recording.multiply_adds >= SUBMISSION_MULTIPLY_ADDS {
            self.submit();
        }
    }

    /// Hands what was recorded to the device, in one compute pass. Does nothing when nothing was recorded.
    pub fn submit(&mut self) {
        if !self.recording.dispatches.is_empty() {
            let recording = self.take();
            let encoder = self.encode(&recording);
            self.hand_over(encoder);
        }
    }

    /// Hands over what was recorded, with a promise that it, and all writes before it, will be done.
    pub(super) fn promise(&mut self) -> Promise {
        // Even an empty submission carries out the writes before it.
        let recording = self.take();
        let encoder = self.encode(&recording);
        let submission = self.hand_over(encoder);
        self.device.promise(submission)
    }

    /// Hands over what was recorded and waits until the device has done it, and all writes.
    ///
    /// # Errors
    /// The first fault that the device reported.
    pub async fn wait(&mut self) -> Result<()> {
        let promise = self.promise();
        self.device.wait(promise).await
    }

    /// Takes what was recorded, instead of handing it over.
    pub(super) fn take(&mut self) -> Recording {
        std::mem::take(&mut self.recording)
    }

    /// Encodes a recording, in one compute pass.
    fn encode(&mut self, recording: &Recording) -> wgpu::CommandEncoder {
        let mut encoder = self.device.device.create_command_encoder(&Default::default());
        if !recording.dispatches.is_empty() {
            let mut pass = encoder.begin_compute_pass(&Default::default());
            for dispatch in &recording.dispatches {
                let [x, y, z] = dispatch.workgroups;
                pass.set_pipeline(&self.pipelines[dispatch.pipeline].1);
                pass.set_bind_group(0, &dispatch.bind_group, &[]);
                pass.dispatch_workgroups(x, y, z);
            }
            drop(pass);
            self.counters.dispatches += recording.dispatches.len() as u64;
            self.counters.weight_bytes_read += recording.weight_bytes;
            self.counters.passes += 1;
        }
        encoder
    }

    fn hand_over(&mut self, encoder: wgpu::CommandEncoder) -> wgpu::SubmissionIndex {
        self.counters.submits += 1;
        self.device.queue.submit([encoder.finish()])
    }

    /// Hands over what was recorded, and after it copies of whole buffers to the start of others.
    pub(super) fn copy(&mut self, copies: &[(&wgpu::Buffer, &wgpu::Buffer)]) {
        let recording = self.take();
        let mut encoder = self.encode(&recording);
        for (source, destination) in copies {
            encoder.copy_buffer_to_buffer(source, 0, destination, 0, source.size());
        }
        self.hand_over(encoder);
    }

    /// Frees the bind groups that have this buffer, which is not used again.
    pub(super) fn forget(&mut self, buffer: &wgpu::Buffer) {
        self.bind_groups.retain(|(_, buffers), _| buffers.iter().all(|(_, bound, _)| bound != buffer));
    }

    /// Writes small values from the host, before whatever is submitted next.
    pub fn write(&mut self, buffer: &wgpu::Buffer, bytes: &[u8]) {
        self.device.queue.write_buffer(buffer, 0, bytes);
        self.counters.bytes_written += bytes.len() as u64;
    }

    /// Runs a recording and has the first `bytes` of each of `sources` copied to `staging` after it, one behind the other.
    pub(super) fn run(
        &mut self,
        recording: &Recording,
        sources: &[&wgpu::Buffer],
        staging: wgpu::Buffer,
        bytes: u64,
    ) -> Readback {
        let mut encoder = self.encode(recording);
        for (place, source) in (0..).zip(sources) {
            encoder.copy_buffer_to_buffer(source, 0, &staging, place * bytes, bytes);
        }
        let submission = self.hand_over(encoder);
        let all_bytes = sources.len() as u64 * bytes;
        self.counters.bytes_read += all_bytes;
        Readback::start(staging, all_bytes, submission)
    }

    /// Runs what was recorded and reads the first `floats` of `source` back through `staging`.
    ///
    /// # Errors
    /// The first fault that the device reported.
    pub async fn read(&mut self, source: &wgpu::Buffer, staging: &wgpu::Buffer, floats: usize) -> Result<Vec<f32>> {
        let recording = self.take();
        let readback = self.run(&recording, &[source], staging.clone(), floats as u64 * 4);
        let (values, _) = readback.finish(&self.device, bytemuck::pod_collect_to_vec).await?;
        Ok(values)
    }

    fn pipeline(&mut self, variant: &Variant) -> usize {
        if let Some(index) = self.pipelines.iter().position(|(known, _)| known == variant) {
            return index;
        }
        let device = &self.device.device;
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some(variant.kernel),
            source: wgpu::ShaderSource::Wgsl((self.device.shader_source)(variant, self.device.tier).into()),
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
        let offset_of = |buffer: &wgpu::Buffer| {
            self.offsets.iter().find(|(shifted, _)| shifted == buffer).map_or(0, |&(_, bytes)| bytes)
        };
        let bound: Vec<_> =
            buffers.iter().map(|&(binding, buffer)| (binding, buffer.clone(), offset_of(buffer))).collect();
        self.bind_groups
            .entry((pipeline, bound))
            .or_insert_with_key(|(_, bound)| {
                self.counters.bind_groups_created += 1;
                let entries: Vec<_> = bound
                    .iter()
                    .map(|&(binding, ref buffer, offset)| wgpu::BindGroupEntry {
                        binding,
                        resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding { buffer, offset, size: None }),
                    })
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
