//! Choosing the next token: `shaders/sample.wgsl`.

use bytemuck::{Pod, Zeroable};

use crate::backend::gpu::recorder::Recorder;
use crate::backend::gpu::shaders::Variant;
use crate::error::{Error, ErrorKind, Result};
use crate::sampling::Sampling;

/// How many consecutive logits share one of the maxima that the head leaves for the sampler.
pub const LOGIT_BLOCK: usize = 32;

/// The largest top-k that the kernel has room for.
pub const MAX_TOP_K: usize = 64;

/// The bit of an occurrence that says: in prompt or answer. The others count the answer's.
pub const OCCURRED: u32 = 1 << 31;

/// How tokens are chosen, for one answer: `SamplingSettings` of `shaders/shared/sampling_settings.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub struct SamplingSettings {
    temperature: f32,
    top_k: u32,
    top_p: f32,
    min_p: f32,
    repetition_penalty: f32,
    presence_penalty: f32,
    frequency_penalty: f32,
    choices: u32,
    seed_low: u32,
    seed_high: u32,
    is_random: u32,
    padding: u32,
}

impl SamplingSettings {
    /// The settings for a choice among the first `choices` tokens, at least 1. `None` when the kernel can't choose so:
    /// it needs a temperature of 0 or a top-k of 1 to [`MAX_TOP_K`].
    pub fn new(sampling: &Sampling, choices: usize) -> Option<Self> {
        let is_random = sampling.temperature > 0.0;
        let top_k = if is_random { sampling.top_k } else { 1 };
        (1..=MAX_TOP_K).contains(&top_k).then_some(Self {
            // A shader may take smaller numbers for 0. Less than this makes no difference.
            temperature: sampling.temperature.max(f32::MIN_POSITIVE),
            top_k: top_k as u32,
            top_p: sampling.top_p,
            min_p: sampling.min_p,
            repetition_penalty: sampling.repetition_penalty,
            presence_penalty: sampling.presence_penalty,
            frequency_penalty: sampling.frequency_penalty,
            choices: choices as u32,
            seed_low: sampling.seed as u32,
            seed_high: (sampling.seed >> 32) as u32,
            is_random: is_random.into(),
            padding: 0,
        })
    }
}

/// What the kernel leaves for the host: `Sampled` of `shaders/sample.wgsl`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Sampled {
    /// The token chosen.
    pub token: u32,
    /// 0 when a logit was infinite or not a number: then the token means nothing.
    pub is_finite: u32,
    /// Random numbers used up so far; 0 at the start of an answer.
    pub draws: u32,
    /// Always 0.
    pub padding: u32,
}

impl Sampled {
    /// The token.
    ///
    /// # Errors
    /// [`ErrorKind::DeviceLost`] when a logit was not finite.
    pub fn finite_token(self) -> Result<u32> {
        match self.is_finite {
            0 => Err(Error::new(ErrorKind::DeviceLost, "the device computes wrongly, or the file is damaged")
                .at("logits")
                .got("one that is infinite or not a number")
                .expected("finite numbers")),
            _ => Ok(self.token),
        }
    }
}

/// `[vocabulary]` of [`OCCURRED`] for the tokens of `prompt`, 0 for others: what an answer starts with. Tokens outside
/// the vocabulary are passed over.
pub fn occurrences(prompt: &[u32], vocabulary: usize) -> Vec<u32> {
    let mut occurrences = vec![0; vocabulary];
    for &token in prompt {
        if let Some(occurrence) = occurrences.get_mut(token as usize) {
            *occurrence = OCCURRED;
        }
    }
    occurrences
}

/// Chooses a token from `logits`, and prepares the pass that computes the one after it.
pub struct Sample<'a> {
    /// [`SamplingSettings`].
    pub settings: &'a wgpu::Buffer,
    /// f32 `[vocabulary]`, with penalties.
    pub logits: &'a wgpu::Buffer,
    /// f32 `[vocabulary / LOGIT_BLOCK]`, rounded up: the largest logit of each block, of those that can be chosen;
    /// infinite when one of them is not finite.
    pub block_maxima: &'a wgpu::Buffer,
    /// u32 `[vocabulary]`: see [`occurrences`]. The token's is counted up.
    pub occurrences: &'a wgpu::Buffer,
    /// [`Step`](crate::backend::gpu::Step) of the pass before, turned into that of the next token.
    pub step: &'a wgpu::Buffer,
    /// u32, the first one written: the token.
    pub tokens: &'a wgpu::Buffer,
    /// [`Sampled`], written; its draws are counted up.
    pub sampled: &'a wgpu::Buffer,
}

impl Sample<'_> {
    /// Appends one dispatch.
    pub fn record(&self, recorder: &mut Recorder) {
        recorder.dispatch(
            &Self::variant(),
            &[
                (0, self.settings),
                (1, self.logits),
                (2, self.block_maxima),
                (3, self.occurrences),
                (4, self.step),
                (5, self.tokens),
                (6, self.sampled),
            ],
            [1, 1, 1],
            0,
        );
    }

    /// The kernel. It is the same for every vocabulary: how many tokens there are to choose from is a setting.
    pub fn variant() -> Variant {
        Variant::new("sample", vec![("BLOCK", LOGIT_BLOCK.into()), ("MAX_TOP_K", MAX_TOP_K.into())])
    }
}
