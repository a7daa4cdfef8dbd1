//! The operations of a forward pass as WebGPU compute shaders.
//!
//! Weights are repacked into planes when they are loaded; activations and norms are f32; the KV cache is f16 or Q8. Beyond
//! core WebGPU, kernels use what belongs to the device's [`tier`].

mod activations;
mod adapter_info;
pub mod bandwidth;
mod batch;
pub mod device;
mod layer_cache;
mod limits;
pub mod operations;
mod products;
mod readback;
pub mod reading_rates;
pub mod recorder;
mod sampler;
pub mod shaders;
pub mod tensor;
pub mod tier;
pub mod uploader;

pub use self::layer_cache::LayerCache;

use bytemuck::{Pod, Zeroable};

use self::activations::Activations;
use self::batch::Batch;
use self::device::{Device, MAX_BINDING_BYTES, Promise};
use self::operations::{
    Attention, AttentionDecode, Embed, GateUp, Head, KeepLastRow, MatMul, QueryKeyValue, RmsNorm, RopeAppend, Sample,
    SiluMul,
};
use self::products::Product;
use self::recorder::{Recorder, Recording};
use self::sampler::{Answer, Sampler};
use self::shaders::Epilogue;
use self::tensor::Tensor;
use self::uploader::Uploader;
use super::{Backend, Counters, Dimensions, HeadNorms, Platform, Projection};
use crate::error::{Error, ErrorKind, Result};
use crate::gguf::TensorInfo;
use crate::sampling::Sampling;

/// What changes from one pass to the next: `Step` of `shaders/shared/step.wgsl`.
#[derive(Debug, Clone, Copy, Default, Pod, Zeroable)]
#[repr(C)]
pub struct Step {
    /// Rows of activations to compute.
    pub rows: u32,
    /// First row to read where only some are wanted.
    pub first_row: u32,
    /// Position of the first token in the conversation.
    pub position: u32,
    /// Uniform structs are whole vectors of four.
    pub padding: u32,
}

/// A [`Backend`] on a GPU.
pub struct GpuBackend {
    recorder: Recorder,
    /// While there are weights to come.
    uploader: Option<Uploader>,
    dimensions: Dimensions,
    activations: Activations,
    /// The bias of the keys that were projected last.
    key_bias: Option<Tensor>,
    sampler: Sampler,
    /// What was handed over by the last `submit_ahead`.
    handed_over: Option<Promise>,
    /// The pass that is being recorded.
    step: Step,
    /// What it is for.
    purpose: Purpose,
    /// Of a pass over several conversations.
    batch: Batch,
    /// The last pass over a sampled token, to be run again.
    decode: Option<Decode>,
    /// Rows of logits that the last head computes.
    logit_rows: usize,
}

/// What a pass is recorded for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// To compute tokens from the host.
    Tokens,
    /// To compute a sampled token, now and again.
    SampledToken,
    /// To make its kernels ready.
    Rehearsal,
}

/// A pass over one sampled token, which is the same for every position with the same splits.
struct Decode {
    recording: Recording,
    splits: usize,
}

impl GpuBackend {
    /// A backend on `device` for a model of these dimensions.
    ///
    /// # Errors
    /// [`ErrorKind::UnsupportedModel`] when one of the model's buffers is larger than the device's limits, or too many
    /// query heads share a KV head.
    pub fn new(device: Device, dimensions: Dimensions) -> Result<Self> {
        limits::check(&device, &dimensions)?;
        let activations = Activations::new(&device, &dimensions);
        let sampler = Sampler::new(&device, dimensions.vocabulary);
        let batch = Batch::new(&device);
        Ok(Self {
            recorder: Recorder::new(device),
            uploader: None,
            dimensions,
            activations,
            key_bias: None,
            sampler,
            handed_over: None,
            step: Step::default(),
            batch,
            purpose: Purpose::Rehearsal,
            decode: None,
            logit_rows: 0,
        })
    }

    /// The device that this backend runs on.
    pub fn device(&self) -> &Device {
        self.recorder.device()
    }

    /// Frees buffers that are not used again.
    fn free<'a>(&mut self, buffers: impl IntoIterator<Item = &'a wgpu::Buffer>) {
        for buffer in buffers {
            self.recorder.forget(buffer);
            // Passes that are under way still have it. In a browser, dropping a buffer would free nothing for a while.
            buffer.destroy();
        }
    }
}

/// The norms of queries and keys, as kernels take them.
fn head_norm_buffers(HeadNorms { query, key }: &HeadNorms<Tensor>) -> HeadNorms<&wgpu::Buffer> {
    HeadNorms { query: query.buffer(), key: key.buffer() }
}

impl Platform for Device {
    type Backend = GpuBackend;

    fn open(&self, dimensions: Dimensions) -> Result<GpuBackend> {
        GpuBackend::new(self.clone(), dimensions)
    }

    async fn make_room<T>(&self, make: impl FnOnce() -> Result<T>) -> Result<T> {
        Device::make_room(self, make).await
    }
}

impl Backend for GpuBackend {
    type Tensor = Tensor;
    type LayerCache = LayerCache;
    type Answer = Answer;

    fn allocate(&mut self, info: &TensorInfo) -> Result<Tensor> {
        if info.rows > 1 && !info.columns.is_multiple_of(32) {
            return Err(Error::new(ErrorKind::UnsupportedModel, "a matrix is not a whole number of blocks wide")
                .at(&info.name)
                .got(format!("{} columns", info.columns))
                .expected("a multiple of 32"));
        }
        let tensor = Tensor::allocate(self.device(), info, MAX_BINDING_BYTES);
        let max_rows = MatMul::max_shard_rows(&self.device().device.limits());
        if let Some(shard) = tensor.shards.iter().find(|shard| shard.rows > max_rows) {
            return Err(Error::new(ErrorKind::UnsupportedModel, "a matrix has too many rows for this GPU")
                .at(&info.name)
                .got(shard.rows)
                .expected(format!("at most {max_rows} in {MAX_BINDING_BYTES} bytes")));
        }
        Ok(tensor)
    }

    fn tensor_bytes(tensor: &Tensor) -> u64 {
        tensor.device_bytes()
    }

    fn allocate_cache(&mut self, positions: usize) -> Result<LayerCache> {
        Ok(LayerCache::allocate(self.device(), &self.dimensions, positions))
    }

    async fn grow_cache(&mut self, cache: &mut LayerCache, positions: usize) -> Result<()> {
        let device = self.device().clone();
        let larger = device.make_room(|| self.allocate_cache(positions)).await?;
        self.recorder.copy(&cache.buffers().zip(larger.buffers()).collect::<Vec<_>>());
        // It would go on with what is freed here.
        self.decode = None;
        let smaller = std::mem::replace(cache, larger);
        self.free_cache(smaller);
        Ok(())
    }

    fn free_cache(&mut self, cache: LayerCache) {
        self.free(cache.buffers());
    }

    fn upload(&mut self, tensor: &Tensor, offset_bytes: u64, bytes: &[u8]) {
        let uploader = self.uploader.get_or_insert_with(|| Uploader::new(self.recorder.device()));
        uploader.upload(&mut self.recorder, tensor, offset_bytes, bytes);
    }

    fn finish_uploads(&mut self) {
        if let Some(uploader) = self.uploader.take() {
            uploader.free(&mut self.recorder);
        }
    }

    async fn wait(&mut self) -> Result<()> {
        self.handed_over = None;
        self.recorder.wait().await
    }

    async fn submit_ahead(&mut self) -> Result<()> {
        let promise = self.recorder.promise();
        match self.handed_over.replace(promise) {
            Some(before) => self.device().wait(before).await,
            None => Ok(()),
        }
    }

    fn begin(&mut self, tokens: &[u32], position: usize) {
        // The pass before still reads what is written here.
        self.recorder.submit();
        self.recorder.count_tokens(tokens.len());
        self.step = Step { rows: tokens.len() as u32, first_row: 0, position: position as u32, padding: 0 };
        self.purpose = Purpose::Tokens;
        self.recorder.write(&self.activations.tokens, bytemuck::cast_slice(tokens));
        self.recorder.write(&self.activations.step, bytemuck::bytes_of(&self.step));
    }

    fn begin_batch(&mut self, tokens: &[u32], positions: &[usize]) {
        self.begin_rows(tokens, positions);
    }

    fn rehearse(&mut self, tokens: usize, position: usize) {
        self.recorder.submit();
        self.step = Step { rows: tokens as u32, first_row: 0, position: position as u32, padding: 0 };
        self.purpose = Purpose::Rehearsal;
    }

    fn embed(&mut self, table: &Tensor, next_norm: &Tensor) {
        Embed {
            table,
            tokens: &self.activations.tokens,
            token_count: self.step.rows as usize,
            residual: &self.activations.residual,
            norm: next_norm.buffer(),
            weighed: self.activations.weighed(),
        }
        .record(&mut self.recorder);
    }

    fn query_key_value(&mut self, norm: &Tensor, projections: [&Projection<Tensor>; 3]) {
        self.key_bias.clone_from(&projections[1].bias);
        if self.is_fused(projections.map(|projection| &projection.weight)) {
            let no_bias = &self.activations.no_bias;
            QueryKeyValue {
                input: self.activations.weighed(),
                epsilon: self.dimensions.rms_epsilon,
                weights: projections.map(|projection| &projection.weight),
                biases: projections.map(|projection| projection.bias.as_ref().map_or(no_bias, Tensor::buffer)),
                qkv: &self.activations.qkv,
            }
            .record(&mut self.recorder);
            return;
        }
        self.normalize(norm);
        let output_columns = self.dimensions.qkv_columns();
        let mut output_offset = 0;
        let products = projections.map(|Projection { weight, bias }| {
            let product = Product {
                output_columns,
                output_offset,
                epilogue: if bias.is_some() { Epilogue::StoreWithBias } else { Epilogue::Store },
                bias: bias.as_ref().map(Tensor::buffer),
                ..Product::new(weight, |activations| &activations.qkv)
            };
            output_offset += weight.rows;
            product
        });
        self.multiply(|activations| &activations.normalized, products);
    }

    fn attention(&mut self, norms: Option<&HeadNorms<Tensor>>, cache: &LayerCache) {
        let norms = norms.map(head_norm_buffers);
        let key_bias = self.key_bias.as_ref().map_or(&self.activations.no_bias, Tensor::buffer);
        if self.step.rows == 1 {
            AttentionDecode {
                step: &self.activations.step,
                qkv: &self.activations.qkv,
                rotations: &self.activations.rotations,
                norms,
                keys: &cache.keys,
                values: &cache.values,
                scales: cache.scales(),
                key_bias,
                output: &self.activations.attention,
                partials: &self.activations.attention_partials,
                splits: AttentionDecode::splits(self.step.position as usize + 1),
                dimensions: &self.dimensions,
            }
            .record(&mut self.recorder);
            return;
        }
        RopeAppend {
            step: &self.activations.step,
            qkv: &self.activations.qkv,
            rotations: &self.activations.rotations,
            norms,
            keys: &cache.keys,
            values: &cache.values,
            scales: cache.scales(),
            key_bias,
            tokens: self.step.rows as usize,
            dimensions: &self.dimensions,
        }
        .record(&mut self.recorder);
        Attention {
            step: &self.activations.step,
            qkv: &self.activations.qkv,
            keys: &cache.keys,
            values: &cache.values,
            scales: cache.scales(),
            output: &self.activations.attention,
            tokens: self.step.rows as usize,
            position: self.step.position as usize,
            dimensions: &self.dimensions,
        }
        .record(&mut self.recorder);
    }

    fn attention_batch(&mut self, norms: Option<&HeadNorms<Tensor>>, caches: &[&LayerCache]) {
        self.attend_rows(norms, caches);
    }

    fn keep_last_row(&mut self) {
        KeepLastRow {
            step: &self.activations.step,
            residual: &self.activations.residual,
            attention: &self.activations.attention,
            residual_columns: self.dimensions.hidden,
            attention_columns: self.dimensions.heads * self.dimensions.head_dim,
        }
        .record(&mut self.recorder);
        self.step.position += self.step.rows - 1;
        self.step.rows = 1;
    }

    fn attention_output(&mut self, weight: &Tensor, next_norm: &Tensor) {
        self.add_to_residual(weight, |activations| &activations.attention, next_norm);
    }

    fn gate_up(&mut self, norm: &Tensor, gate: &Tensor, up: &Tensor) {
        if self.is_fused([gate, up]) {
            GateUp {
                input: self.activations.weighed(),
                epsilon: self.dimensions.rms_epsilon,
                gate,
                up,
                hidden: &self.activations.gate,
            }
            .record(&mut self.recorder);
            return;
        }
        self.normalize(norm);
        let products =
            [Product::new(gate, |activations| &activations.gate), Product::new(up, |activations| &activations.up)];
        self.multiply(|activations| &activations.normalized, products);
        SiluMul {
            gate: &self.activations.gate,
            up: &self.activations.up,
            tokens: self.step.rows as usize,
            columns: self.dimensions.feed_forward,
        }
        .record(&mut self.recorder);
    }

    fn feed_forward_output(&mut self, weight: &Tensor, next_norm: &Tensor) {
        self.add_to_residual(weight, |activations| &activations.gate, next_norm);
        // What is run again, or never, must stay in one piece.
        if self.purpose == Purpose::Tokens {
            self.recorder.submit_if_long();
        }
    }

    fn head(&mut self, norm: &Tensor, head: &Tensor, first_row: usize, rows: usize) {
        let step = Step { rows: rows as u32, first_row: first_row as u32, ..self.step };
        self.logit_rows = rows;
        self.recorder.write(&self.activations.logits_step, bytemuck::bytes_of(&step));
        RmsNorm {
            step: &self.activations.logits_step,
            input: &self.activations.residual,
            weight: norm.buffer(),
            output: &self.activations.normalized,
            rows,
            columns: self.dimensions.hidden,
            epsilon: self.dimensions.rms_epsilon,
        }
        .record(&mut self.recorder);
        MatMul {
            step: &self.activations.logits_step,
            weights: head,
            input: &self.activations.normalized,
            quantized_input: None,
            output: &self.activations.logits,
            output_columns: self.activations.logit_columns,
            output_offset: 0,
            tokens: rows,
            epilogue: Epilogue::Store,
            bias: None,
        }
        .record(&mut self.recorder);
    }

    async fn read_logits(&mut self) -> Result<Vec<f32>> {
        let Activations { logits, staging, logit_columns: columns, .. } = &self.activations;
        let vocabulary = self.dimensions.vocabulary;
        let mut floats = self.recorder.read(logits, staging, (self.logit_rows - 1) * columns + vocabulary).await?;
        for row in 1..self.logit_rows {
            floats.copy_within(row * columns..row * columns + vocabulary, row * vocabulary);
        }
        floats.truncate(self.logit_rows * vocabulary);
        Ok(floats)
    }

    fn allocate_answer(&mut self) -> Answer {
        Answer::allocate(self.device(), self.dimensions.vocabulary)
    }

    fn start_answer(&mut self, answer: &Answer, sampling: &Sampling, choices: usize, prompt: &[u32]) {
        answer.start(&mut self.recorder, sampling, choices, prompt);
    }

    fn free_answer(&mut self, answer: Answer) {
        self.free(answer.buffers());
    }

    fn sample_rows(&mut self, norm: &Tensor, head: &Tensor, answers: &[Option<&Answer>]) {
        self.choose_rows(norm, head, answers);
    }

    async fn read_rows(&mut self) -> Result<Vec<Option<u32>>> {
        self.read_choices().await
    }

    fn can_sample(&self, sampling: &Sampling) -> bool {
        Sampler::can_sample(sampling)
    }

    fn begin_answer(&mut self, sampling: &Sampling, choices: usize, prompt: &[u32]) {
        self.sampler.begin_answer(&mut self.recorder, sampling, choices, prompt);
    }

    fn sample(&mut self, norm: &Tensor, head: &Tensor) {
        if self.step.rows > 1 {
            self.weigh(norm);
        }
        let (answer, block_maxima) = (self.sampler.answer(), self.sampler.block_maxima());
        Head {
            settings: &answer.settings,
            input: self.activations.weighed(),
            epsilon: self.dimensions.rms_epsilon,
            weights: head,
            occurrences: &answer.occurrences,
            logits: &self.activations.logits,
            block_maxima,
        }
        .record(&mut self.recorder);
        Sample {
            settings: &answer.settings,
            logits: &self.activations.logits,
            block_maxima,
            occurrences: &answer.occurrences,
            step: &self.activations.step,
            tokens: &self.activations.tokens,
            sampled: &answer.sampled,
        }
        .record(&mut self.recorder);
    }

    fn submit_sampled(&mut self) {
        let recording = self.recorder.take();
        self.sampler.run(&mut self.recorder, &recording);
        if self.purpose == Purpose::SampledToken {
            self.decode = Some(Decode { recording, splits: AttentionDecode::splits(self.step.position as usize + 1) });
        }
    }

    fn begin_sampled(&mut self, position: usize) {
        self.recorder.count_tokens(1);
        self.step = Step { rows: 1, first_row: 0, position: position as u32, padding: 0 };
        self.purpose = Purpose::SampledToken;
    }

    fn repeat(&mut self, position: usize) -> bool {
        let Some(decode) = &self.decode else { return false };
        let is_same = decode.splits == AttentionDecode::splits(position + 1);
        if is_same {
            self.recorder.count_tokens(1);
            self.sampler.run(&mut self.recorder, &decode.recording);
        }
        is_same
    }

    async fn read_sampled(&mut self) -> Result<u32> {
        self.sampler.read(self.recorder.device()).await
    }

    fn discard_sampled(&mut self) {
        self.sampler.discard();
    }

    fn discard(&mut self) {
        drop(self.recorder.take());
    }

    fn counters(&self) -> Counters {
        self.recorder.counters()
    }
}
