//! What a forward pass works in.

use super::Step;
use super::device::Device;
use super::operations::{AttentionDecode, QuantizedRows, Weighed, rotations};
use super::tier::Tier;
use crate::backend::{Dimensions, MAX_BATCH, MAX_LOGIT_ROWS, MAX_PASS_TOKENS};

/// The buffers that a pass works in, each with room for [`MAX_PASS_TOKENS`] rows.
pub(super) struct Activations {
    /// u32 `[tokens]`.
    pub(super) tokens: wgpu::Buffer,
    /// [`Step`] of the layers.
    pub(super) step: wgpu::Buffer,
    /// A [`Step`] every [`ROW_STEP_BYTES`], `[MAX_BATCH]`: those of single rows that belong to conversations of their own.
    pub(super) row_steps: wgpu::Buffer,
    /// [`Step`] of the head.
    pub(super) logits_step: wgpu::Buffer,
    /// f32 `[tokens, hidden]`.
    pub(super) residual: wgpu::Buffer,
    /// f32 `[tokens, hidden]`.
    pub(super) normalized: wgpu::Buffer,
    /// f32 `[1, hidden]` and f32 `[hidden / 8]`: [`Weighed`].
    weighed: [wgpu::Buffer; 2],
    /// f32 `[tokens, (heads + 2 kv_heads) * head_dim]`.
    pub(super) qkv: wgpu::Buffer,
    /// f32 `[tokens, heads * head_dim]`.
    pub(super) attention: wgpu::Buffer,
    /// f32 `[splits, heads, head_dim + 2]`: attention to each part of a long context.
    pub(super) attention_partials: wgpu::Buffer,
    /// f32 `[tokens, feed_forward]`.
    pub(super) gate: wgpu::Buffer,
    /// f32 `[tokens, feed_forward]`.
    pub(super) up: wgpu::Buffer,
    /// What products of quants read, where the tier has them.
    pub(super) quantized: Option<QuantizedRows>,
    /// f32 `[context, head_dim / 2, 2]`.
    pub(super) rotations: wgpu::Buffer,
    /// f32, zeros enough for the bias of a projection that has none.
    pub(super) no_bias: wgpu::Buffer,
    /// f32 `[MAX_LOGIT_ROWS, logit_columns]`, for the host or for the sampler.
    pub(super) logits: wgpu::Buffer,
    /// [`logit_columns`] of the vocabulary.
    pub(super) logit_columns: usize,
    /// Host-readable copy of the logits.
    pub(super) staging: wgpu::Buffer,
}

/// How far apart the steps of single rows are: what core WebGPU asks of the offset of a uniform.
pub(super) const ROW_STEP_BYTES: usize = 256;

/// What core WebGPU asks of the offset of a storage buffer.
const STORAGE_OFFSET_BYTES: usize = 256;

/// The width of a row of logits: the vocabulary, and what makes each row start where a storage buffer can be bound.
pub(super) fn logit_columns(vocabulary: usize) -> usize {
    vocabulary.next_multiple_of(STORAGE_OFFSET_BYTES / size_of::<f32>())
}

impl Activations {
    pub(super) fn new(device: &Device, dimensions: &Dimensions) -> Self {
        use wgpu::BufferUsages as Usage;
        let buffer = |label, bytes: usize, usage| device.buffer(label, bytes as u64, usage);
        let rows = |label, columns: usize| buffer(label, MAX_PASS_TOKENS * columns * size_of::<f32>(), Usage::STORAGE);
        let step = |label| buffer(label, size_of::<Step>(), Usage::UNIFORM | Usage::STORAGE | Usage::COPY_DST);
        let table = rotations(dimensions);
        let rotations = buffer("rotations", size_of_val(&table[..]), Usage::STORAGE | Usage::COPY_DST);
        device.queue.write_buffer(&rotations, 0, bytemuck::cast_slice(&table));
        let partial_floats = AttentionDecode::partial_floats(dimensions, AttentionDecode::splits(dimensions.context));
        let logit_columns = logit_columns(dimensions.vocabulary);
        let logits_bytes = MAX_LOGIT_ROWS * logit_columns * size_of::<f32>();
        Self {
            tokens: buffer("tokens", MAX_PASS_TOKENS * size_of::<u32>(), Usage::STORAGE | Usage::COPY_DST),
            step: step("step"),
            row_steps: buffer("row steps", MAX_BATCH * ROW_STEP_BYTES, Usage::UNIFORM | Usage::COPY_DST),
            logits_step: step("logits step"),
            residual: rows("residual", dimensions.hidden),
            normalized: rows("normalized", dimensions.hidden),
            weighed: [("weighed", 1), ("squares", 8)]
                .map(|(label, part)| buffer(label, dimensions.hidden / part * size_of::<f32>(), Usage::STORAGE)),
            qkv: rows("qkv", dimensions.qkv_columns()),
            attention: rows("attention", dimensions.heads * dimensions.head_dim),
            attention_partials: buffer("attention partials", partial_floats * size_of::<f32>(), Usage::STORAGE),
            gate: rows("gate", dimensions.feed_forward),
            up: rows("up", dimensions.feed_forward),
            quantized: matches!(device.tier, Tier::F16 | Tier::Packed).then(|| {
                let widest = dimensions.hidden.max(dimensions.feed_forward).max(dimensions.heads * dimensions.head_dim);
                QuantizedRows::allocate(device, MAX_PASS_TOKENS, widest)
            }),
            rotations,
            no_bias: buffer("no bias", dimensions.heads * dimensions.head_dim * size_of::<f32>(), Usage::UNIFORM),
            logits: buffer("logits", logits_bytes, Usage::STORAGE | Usage::COPY_SRC),
            logit_columns,
            staging: buffer("logits for the host", logits_bytes, Usage::MAP_READ | Usage::COPY_DST),
        }
    }

    /// The residual stream of a single token, weighed for the next norm.
    pub(super) fn weighed(&self) -> Weighed<'_> {
        let [row, squares] = &self.weighed;
        Weighed { row, squares }
    }
}
