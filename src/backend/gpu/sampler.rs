//! The sampler's buffers, and the tokens that are on their way to the host.

use std::collections::VecDeque;

use super::device::Device;
use super::operations::{LOGIT_BLOCK, Sampled, SamplingSettings, occurrences};
use super::readback::Readback;
use super::recorder::{Recorder, Recording};
use crate::error::{Error, ErrorKind, Result};
use crate::sampling::Sampling;

/// How the tokens of an answer are chosen, and what that has come to.
#[derive(Debug)]
pub struct Answer {
    /// [`SamplingSettings`].
    pub(super) settings: wgpu::Buffer,
    /// u32 `[vocabulary]`.
    pub(super) occurrences: wgpu::Buffer,
    /// [`Sampled`].
    pub(super) sampled: wgpu::Buffer,
}

impl Answer {
    /// Room for an answer.
    pub(super) fn allocate(device: &Device, vocabulary: usize) -> Self {
        use wgpu::BufferUsages as Usage;
        let buffer = |label, bytes: usize, usage| device.buffer(label, bytes as u64, usage | Usage::COPY_DST);
        Self {
            settings: buffer("sampling settings", size_of::<SamplingSettings>(), Usage::UNIFORM),
            occurrences: buffer("occurrences", vocabulary * size_of::<u32>(), Usage::STORAGE),
            sampled: buffer("sampled", size_of::<Sampled>(), Usage::STORAGE | Usage::COPY_SRC),
        }
    }

    /// Writes all that an answer to `prompt` needs of the host. Whatever was here before is over.
    pub(super) fn start(&self, recorder: &mut Recorder, sampling: &Sampling, choices: usize, prompt: &[u32]) {
        // Otherwise the host samples, and what is left here from before is not used.
        if let Some(settings) = SamplingSettings::new(sampling, choices) {
            recorder.write(&self.settings, bytemuck::bytes_of(&settings));
        }
        recorder.write(&self.sampled, bytemuck::bytes_of(&Sampled::default()));
        // Where nothing is held against a token that occurred, it makes no difference which did.
        if sampling.has_penalties() {
            let vocabulary = self.occurrences.size() as usize / size_of::<u32>();
            recorder.write(&self.occurrences, bytemuck::cast_slice(&occurrences(prompt, vocabulary)));
        }
    }

    /// All that it is made of.
    pub(super) fn buffers(&self) -> [&wgpu::Buffer; 3] {
        [&self.settings, &self.occurrences, &self.sampled]
    }
}

/// Chooses tokens on the device, several before the first one is read.
pub(super) struct Sampler {
    answer: Answer,
    /// f32 `[vocabulary / LOGIT_BLOCK]`, rounded up.
    block_maxima: wgpu::Buffer,
    /// Tokens that were not read yet, in order.
    in_flight: VecDeque<Readback>,
    /// Host-readable buffers of [`Sampled`] that nothing is copied to at the moment.
    free_staging: Vec<wgpu::Buffer>,
}

/// What the host reads of a token.
pub(super) const SAMPLED_BYTES: u64 = size_of::<Sampled>() as u64;

impl Sampler {
    pub(super) fn new(device: &Device, vocabulary: usize) -> Self {
        let maxima_bytes = vocabulary.div_ceil(LOGIT_BLOCK) * size_of::<f32>();
        Self {
            answer: Answer::allocate(device, vocabulary),
            block_maxima: device.buffer("block maxima", maxima_bytes as u64, wgpu::BufferUsages::STORAGE),
            in_flight: VecDeque::new(),
            free_staging: Vec::new(),
        }
    }

    /// The answer whose tokens it chooses, where there is only one.
    pub(super) fn answer(&self) -> &Answer {
        &self.answer
    }

    /// What a choice works in.
    pub(super) fn block_maxima(&self) -> &wgpu::Buffer {
        &self.block_maxima
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
        self.answer.start(recorder, sampling, choices, prompt);
    }

    /// Runs a pass that ends with the sampler, and asks for its token.
    pub(super) fn run(&mut self, recorder: &mut Recorder, recording: &Recording) {
        let staging = self.free_staging.pop().unwrap_or_else(|| {
            let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
            recorder.device().buffer("sampled for the host", SAMPLED_BYTES, usage)
        });
        self.in_flight.push_back(recorder.run(recording, &[&self.answer.sampled], staging, SAMPLED_BYTES));
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
        sampled.finite_token()
    }

    /// Forgets the tokens that were not read yet. Their staging buffers can't be used again before they are mapped, so they
    /// go as well.
    pub(super) fn discard(&mut self) {
        self.in_flight.clear();
    }
}
