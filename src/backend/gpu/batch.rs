//! A pass over several conversations: a row each, with a position, a KV cache and an answer of its own.

use super::activations::ROW_STEP_BYTES;
use super::device::Device;
use super::operations::{AttentionDecode, PenalizeLogits, Sample, Sampled};
use super::sampler::{Answer, SAMPLED_BYTES};
use super::tensor::Tensor;
use super::{GpuBackend, LayerCache, Step, head_norm_buffers};
use crate::backend::{Backend, HeadNorms, MAX_BATCH};
use crate::error::Result;

/// What a pass over several conversations has besides what any pass has.
pub(super) struct Batch {
    /// The position of each row.
    positions: Vec<usize>,
    /// Rows whose tokens the device chooses: their [`Sampled`], and where the row is among all.
    sampled: Vec<(usize, wgpu::Buffer)>,
    /// Rows of the last choice.
    rows: usize,
    /// Where the sampler leaves step and token of the next pass. Those of a batch come from the host, which knows who goes on.
    unused: [wgpu::Buffer; 2],
    /// Host-readable [`Sampled`], `[MAX_BATCH]`.
    staging: wgpu::Buffer,
}

impl Batch {
    pub(super) fn new(device: &Device) -> Self {
        use wgpu::BufferUsages as Usage;
        let unused =
            ["unused step", "unused token"].map(|label| device.buffer(label, size_of::<Step>() as u64, Usage::STORAGE));
        let staging_bytes = MAX_BATCH as u64 * SAMPLED_BYTES;
        let staging = device.buffer("batch for the host", staging_bytes, Usage::MAP_READ | Usage::COPY_DST);
        Self { positions: Vec::new(), sampled: Vec::new(), rows: 0, unused, staging }
    }
}

impl GpuBackend {
    /// [`Backend::begin_batch`].
    pub(super) fn begin_rows(&mut self, tokens: &[u32], positions: &[usize]) {
        debug_assert!(tokens.len() == positions.len() && tokens.len() <= MAX_BATCH);
        // No row's own position is that of the pass.
        self.begin(tokens, 0);
        self.batch.positions = positions.to_vec();
        let mut steps = vec![0; tokens.len() * ROW_STEP_BYTES];
        for (bytes, &position) in steps.chunks_mut(ROW_STEP_BYTES).zip(positions) {
            let step = Step { rows: 1, first_row: 0, position: position as u32, padding: 0 };
            bytes[..size_of::<Step>()].copy_from_slice(bytemuck::bytes_of(&step));
        }
        self.recorder.write(&self.activations.row_steps, &steps);
    }

    /// [`Backend::attention_batch`].
    pub(super) fn attend_rows(&mut self, norms: Option<&HeadNorms<Tensor>>, caches: &[&LayerCache]) {
        let norms = norms.map(head_norm_buffers);
        // A row of queries, keys and values, or of attention, is a multiple of 64 numbers: of 256 bytes.
        let row_bytes = |columns: usize| (columns * size_of::<f32>()) as u64;
        let qkv_bytes = row_bytes(self.dimensions.qkv_columns());
        let attention_bytes = row_bytes(self.dimensions.heads * self.dimensions.head_dim);
        let Self { recorder, activations, dimensions, batch, key_bias, .. } = self;
        let key_bias = key_bias.as_ref().map_or(&activations.no_bias, Tensor::buffer);
        for (row, (cache, position)) in (0..).zip(caches.iter().zip(&batch.positions)) {
            let attention = AttentionDecode {
                step: &activations.row_steps,
                qkv: &activations.qkv,
                rotations: &activations.rotations,
                norms,
                keys: &cache.keys,
                values: &cache.values,
                scales: cache.scales(),
                key_bias,
                output: &activations.attention,
                partials: &activations.attention_partials,
                splits: AttentionDecode::splits(*position + 1),
                dimensions,
            };
            let offsets = [
                (&activations.row_steps, row * ROW_STEP_BYTES as u64),
                (&activations.qkv, row * qkv_bytes),
                (&activations.attention, row * attention_bytes),
            ];
            recorder.with_offsets(&offsets, |recorder| attention.record(recorder));
        }
    }

    /// [`Backend::sample_rows`].
    pub(super) fn choose_rows(&mut self, norm: &Tensor, head: &Tensor, answers: &[Option<&Answer>]) {
        self.head(norm, head, 0, answers.len());
        let row_bytes = (self.activations.logit_columns * size_of::<f32>()) as u64;
        let Self { recorder, activations, dimensions, sampler, batch, .. } = self;
        batch.rows = answers.len();
        batch.sampled.clear();
        for (row, answer) in answers.iter().enumerate() {
            let Some(answer) = answer else { continue };
            let block_maxima = sampler.block_maxima();
            let penalize = PenalizeLogits {
                settings: &answer.settings,
                occurrences: &answer.occurrences,
                logits: &activations.logits,
                block_maxima,
                vocabulary: dimensions.vocabulary,
            };
            let [step, tokens] = &batch.unused;
            let sample = Sample {
                settings: &answer.settings,
                logits: &activations.logits,
                block_maxima,
                occurrences: &answer.occurrences,
                step,
                tokens,
                sampled: &answer.sampled,
            };
            recorder.with_offsets(&[(&activations.logits, row as u64 * row_bytes)], |recorder| {
                penalize.record(recorder);
                sample.record(recorder);
            });
            batch.sampled.push((row, answer.sampled.clone()));
        }
    }

    /// [`Backend::read_rows`].
    pub(super) async fn read_choices(&mut self) -> Result<Vec<Option<u32>>> {
        let Self { recorder, batch, .. } = self;
        let mut tokens = vec![None; batch.rows];
        if batch.sampled.is_empty() {
            return Ok(tokens);
        }
        let recording = recorder.take();
        let sources: Vec<_> = batch.sampled.iter().map(|(_, sampled)| sampled).collect();
        let readback = recorder.run(&recording, &sources, batch.staging.clone(), SAMPLED_BYTES);
        let (sampled, _) = readback.finish(recorder.device(), bytemuck::pod_collect_to_vec::<u8, Sampled>).await?;
        for ((row, _), sampled) in batch.sampled.iter().zip(sampled) {
            tokens[*row] = Some(sampled.finite_token()?);
        }
        Ok(tokens)
    }
}
