//! The sampler's buffers, and the tokens that are on their way to the host.

use std::collections::VecDeque;

use super::device::Device;
use super::operations::{LOGIT_BLOCK, Sampled, SamplingSettings, occurrences};
use super::readback::Readback;
use super::recorder::{Recorder, Recording};
use crate::error::{Error, ErrorKind, Result};
use crate::sampling::Sampling;

/// Chooses tokens on the device, several before the first one is read.
pub(super) struct Sampler {
    vocabulary: usize,
    /// [`SamplingSettings`].
    pub(super) settings: wgpu::Buffer,
    /// u32 `[vocabulary]`.
    pub(super) occurrences: wgpu::Buffer,
    /// f32 `[vocabulary / LOGIT_BLOCK]`, rounded up.
    pub(super) block_maxima: wgpu::Buffer,
    /// [`Sampled`].
    pub(super) sampled: wgpu::Buffer,
    /// Tokens that were not read yet, in order.
    in_flight: VecDeque<Readback>,
    /// Host-readable buffers of [`Sampled`] that nothing is copied to at the moment.
    free_staging: Vec<wgpu::Buffer>,
}

const SAMPLED_BYTES: u64 = size_of::<Sampled>() as u64;

impl Sampler {
    pub(super) fn new(device: &Device, vocabulary: usize) -> Self {
        use wgpu::BufferUsages as Usage;
        let buffer = |label, bytes: usize, usage| device.buffer(label, bytes as u64, usage);
        let storage = Usage::STORAGE | Usage::COPY_DST;
        Self {
            vocabulary,
            settings: buffer("sampling settings", size_of::<SamplingSettings>(), Usage::UNIFORM | Usage::COPY_DST),
            occurrences: buffer("occurrences", vocabulary * size_of::<u32>(), storage),
            block_maxima: buffer("block maxima", vocabulary.div_ceil(LOGIT_BLOCK) * size_of::<f32>(), Usage::STORAGE),
            sampled: buffer("sampled", size_of::<Sampled>(), storage | Usage::COPY_SRC),
            in_flight: VecDeque::new(),
            free_staging: Vec::new(),
        }
    }

    /// Whether the kernel can choose tokens so.
    pub(super) fn can_sample(sampling: &Sampling) -> bool {
        SamplingSettings::new(sampling, 1).is_some()
    }

    /// Writes all that an answer needs of the host.
    pub(super) fn begin_answer(
        &mut self,
        recorder: &mut Recorder,
        sampling: &Sampling,
        choices: usize,
        prompt: &[u32],
    ) {
        self.discard();
        // Otherwise the host samples, and what is left here from before is not used.
        if let Some(settings) = SamplingSettings::new(sampling, choices) {
            recorder.write(&self.settings, bytemuck::bytes_of(&settings));
        }
        recorder.write(&self.sampled, bytemuck::bytes_of(&Sampled::default()));
        // Where nothing is held against a token that occurred, it makes no difference which did.
        if sampling.has_penalties() {
            recorder.write(&self.occurrences, bytemuck::cast_slice(&occurrences(prompt, self.vocabulary)));
        }
    }

    /// Runs a pass that ends with the sampler, and asks for its token.
    pub(super) fn run(&mut self, recorder: &mut Recorder, recording: &Recording) {
        let staging = self.free_staging.pop().unwrap_or_else(|| {
            let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
            recorder.device().buffer("sampled for the host", SAMPLED_BYTES, usage)
        });
        self.in_flight.push_back(recorder.run(recording, &self.sampled, staging, SAMPLED_BYTES));
    }

    /// The token of the first pass that was not read yet.
    ///
    /// # Errors
    /// [`ErrorKind::DeviceLost`] when its logits were not finite, and what the device reports.
    pub(super) async fn read(&mut self, device: &Device) -> Result<u32> {
        let Some(readback) = self.in_flight.pop_front() else {
            return Err(Error::new(ErrorKind::Internal, "no token is being sampled"));
        };
        let (sampled, staging) = readback.finish(device, bytemuck::pod_read_unaligned::<Sampled>).await?;
        self.free_staging.push(staging);
        if sampled.is_finite == 0 {
            return Err(Error::new(ErrorKind::DeviceLost, "the device computes wrongly, or the file is damaged")
                .at("logits")
                .got("one that is infinite or not a number")
                .expected("finite numbers"));
        }
        Ok(sampled.token)
    }

    /// Forgets the tokens that were not read yet. Their staging buffers can't be used again before they are mapped, so they
    /// go as well.
    pub(super) fn discard(&mut self) {
        self.in_flight.clear();
    }
}
