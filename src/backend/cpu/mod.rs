//! The operations of a forward pass on the processor, in one thread: for browsers without WebGPU, and for those whose
//! adapter is only software.
//!
//! Weights are [`blocks`] of quants, activations of products integers of 14 bits ([`quantized`]); norms, the residual
//! stream, scores and sums of blocks are f32; the KV cache is f16 or Q8. An operation is done when its function comes back.

pub mod bandwidth;
pub mod blocks;
mod event_loop;
pub mod lanes;
pub mod matrix;
pub mod operations;
pub mod quantized;
pub mod reading_rates;

use std::ops::Range;

use self::matrix::Matrix;
use self::operations::{
    Attention, Input, LayerCache, Output, Rotations, Scratch, level_keys, multiply, rms_norm, rotate, silu_mul,
};
use self::quantized::Quantized;
use super::{Backend, Counters, Dimensions, HeadNorms, KvCacheFormat, MAX_PASS_TOKENS, Platform, Projection};
use crate::error::{Error, ErrorKind, Result};
use crate::gguf::TensorInfo;
use crate::sampling::Sampling;

/// What this backend computes with, for people.
pub const NAME: &str = if cfg!(target_arch = "wasm32") { "WebAssembly SIMD, one thread" } else { "one thread" };

/// What its kernels use, as tiers of a GPU are named.
pub const TIER: &str = if cfg!(target_arch = "wasm32") { "simd128" } else { "portable" };

/// The processor, which has no more to be told of than that it is to compute.
#[derive(Debug, Clone, Copy)]
pub struct Processor;

impl Platform for Processor {
    type Backend = CpuBackend;

    fn open(&self, dimensions: Dimensions) -> Result<CpuBackend> {
        CpuBackend::new(dimensions)
    }

    async fn make_room<T>(&self, make: impl FnOnce() -> Result<T>) -> Result<T> {
        make()
    }
}

/// A tensor of the backend that it was allocated on.
#[derive(Debug, Clone)]
pub struct Tensor {
    index: usize,
    bytes: u64,
}

/// The cache of a layer, by its number.
#[derive(Debug)]
pub struct LayerCacheIndex(usize);

/// A [`Backend`] on the processor.
pub struct CpuBackend {
    dimensions: Dimensions,
    tensors: Vec<Matrix>,
    /// By their numbers; those that were freed are none.
    caches: Vec<Option<LayerCache>>,
    activations: Activations,
    attention: Attention,
    rotations: Rotations,
    quantized: Quantized,
    scratch: Scratch,
    /// The heads of a row before they are normalised.
    heads: Vec<f32>,
    /// The bias of the keys that were projected last.
    key_bias: Option<Tensor>,
    tokens: Vec<u32>,
    /// Of each token.
    positions: Vec<usize>,
    /// Whether the pass will be discarded: nothing is computed then.
    is_rehearsal: bool,
    counters: Counters,
}

/// What operations hand on, for all tokens of a pass.
struct Activations {
    /// `[tokens, hidden]`.
    residual: Vec<f32>,
    /// `[tokens, hidden]`.
    normalized: Vec<f32>,
    /// `[tokens, (heads + 2 kv_heads) * head_dim]`: queries, keys and values of a token.
    qkv: Vec<f32>,
    /// `[tokens, heads * head_dim]`.
    attention: Vec<f32>,
    /// `[tokens, feed_forward]`.
    gate: Vec<f32>,
    /// `[tokens, feed_forward]`.
    up: Vec<f32>,
    /// `[rows, vocabulary]`.
    logits: Vec<f32>,
}

impl CpuBackend {
    /// A backend for a model of these dimensions.
    ///
    /// # Errors
    /// [`ErrorKind::OutOfMemory`] when there is no memory for the activations.
    pub fn new(dimensions: Dimensions) -> Result<Self> {
        let Dimensions { hidden, feed_forward, heads, kv_heads, head_dim, .. } = dimensions;
        let rows_of = |factors: &[usize]| {
            let length = factors.iter().try_fold(MAX_PASS_TOKENS, |length, &factor| length.checked_mul(factor));
            length.and_then(zeros).ok_or_else(|| out_of_memory("the activations"))
        };
        let activations = Activations {
            residual: rows_of(&[hidden])?,
            normalized: rows_of(&[hidden])?,
            qkv: rows_of(&[heads + 2 * kv_heads, head_dim])?,
            attention: rows_of(&[heads, head_dim])?,
            gate: rows_of(&[feed_forward])?,
            up: rows_of(&[feed_forward])?,
            logits: Vec::new(),
        };
        Ok(Self {
            attention: Attention::new(heads, kv_heads, head_dim),
            dimensions,
            tensors: Vec::new(),
            caches: Vec::new(),
            activations,
            rotations: Rotations::default(),
            quantized: Quantized::default(),
            scratch: Scratch::default(),
            heads: Vec::new(),
            key_bias: None,
            tokens: Vec::new(),
            positions: Vec::new(),
            is_rehearsal: true,
            counters: Counters::default(),
        })
    }

    fn keep(&mut self, matrix: Matrix) -> Tensor {
        let tensor = Tensor { index: self.tensors.len(), bytes: matrix.bytes() };
        self.tensors.push(matrix);
        tensor
    }

    /// The products of an activation, one of those of [`Activations`], with some matrices of the same width. It is quantised
    /// once for all of them.
    fn multiply<const N: usize>(&mut self, input: ActivationOf, products: [Product<'_>; N]) {
        let Self { activations, tensors, quantized, scratch, counters, .. } = self;
        let rows = self.tokens.len();
        let columns = tensors[products[0].weights.index].columns;
        // An operation reads one activation and writes another.
        let floats = std::mem::take(input(activations));
        if products.iter().any(|product| tensors[product.weights.index].reads_quantized()) {
            quantized.fill(&floats[..rows * columns], columns);
        }
        for product in products {
            let matrix = &tensors[product.weights.index];
            counters.weight_bytes_read += product.weights.bytes;
            let mut output = Output {
                values: (product.output)(activations),
                columns: product.columns.unwrap_or(matrix.rows),
                offset: product.offset,
                bias: product.bias.map(|bias| tensors[bias.index].floats()),
                adds: product.adds,
            };
            multiply(matrix, Input { floats: &floats, quantized }, rows, &mut output, scratch);
        }
        *input(activations) = floats;
    }

    fn normalize(&mut self, norm: &Tensor) {
        let length = self.tokens.len() * self.dimensions.hidden;
        let Activations { residual, normalized, .. } = &mut self.activations;
        let weight = self.tensors[norm.index].floats();
        rms_norm(&residual[..length], weight, self.dimensions.rms_epsilon, &mut normalized[..length]);
    }

    fn start(&mut self, tokens: &[u32]) {
        self.tokens.clear();
        self.tokens.extend_from_slice(tokens);
        self.is_rehearsal = false;
        self.rotations.fill(&self.positions, self.dimensions.head_dim, self.dimensions.rope_base);
        self.counters.tokens += tokens.len() as u64;
        self.counters.passes += 1;
    }

    /// Attention of consecutive rows of the pass, which are consecutive in a conversation as well, with its cache.
    fn attend(&mut self, norms: Option<&HeadNorms<Tensor>>, cache: &LayerCacheIndex, rows: Range<usize>) {
        let Dimensions { heads, kv_heads, head_dim, rms_epsilon, .. } = self.dimensions;
        let columns = self.dimensions.qkv_columns();
        let (query_length, position) = (heads * head_dim, self.positions[rows.start]);
        let Self { caches, activations, attention, rotations, tensors, heads: unnormalized, .. } = self;
        let Some(cache) = &mut caches[cache.0] else { return };
        let key_bias = match self.dimensions.kv_cache {
            KvCacheFormat::F16 => None,
            KvCacheFormat::Q8 => self.key_bias.as_ref().map(|bias| tensors[bias.index].floats()),
        };
        let qkv = &mut activations.qkv[rows.start * columns..rows.end * columns];
        for (at, row) in qkv.chunks_exact_mut(columns).enumerate() {
            let (heads, values) = row.split_at_mut(query_length + kv_heads * head_dim);
            if let Some(HeadNorms { query, key }) = norms {
                unnormalized.clear();
                unnormalized.extend_from_slice(heads);
                let (query, key) = (tensors[query.index].floats(), tensors[key.index].floats());
                rms_norm(&unnormalized[..query_length], query, rms_epsilon, &mut heads[..query_length]);
                rms_norm(&unnormalized[query_length..], key, rms_epsilon, &mut heads[query_length..]);
            }
            for head in heads.chunks_exact_mut(head_dim) {
                rotate(head, rotations, rows.start + at);
            }
            if let Some(bias) = key_bias {
                let (queries, keys) = heads.split_at_mut(query_length);
                level_keys(queries, keys, bias, head_dim, self.dimensions.first_steady_pair());
            }
            let keys = heads[query_length..].chunks_exact(head_dim);
            for (kv_head, (key, value)) in keys.zip(values.chunks_exact(head_dim)).enumerate() {
                cache.put(kv_head, position + at, key, value);
            }
        }
        let output = &mut activations.attention[rows.start * query_length..rows.end * query_length];
        attention.attend(qkv, columns, cache, position, output);
    }

    /// residual += weight · input.
    fn add_to_residual(&mut self, weight: &Tensor, input: ActivationOf) {
        let product = Product { adds: true, ..Product::new(weight, |activations| &mut activations.residual) };
        self.multiply(input, [product]);
    }
}

/// One of the activations.
type ActivationOf = fn(&mut Activations) -> &mut Vec<f32>;

/// One of several products with the same input.
struct Product<'a> {
    weights: &'a Tensor,
    output: ActivationOf,
    /// Columns of the output where the product is only a part of it.
    columns: Option<usize>,
    offset: usize,
    bias: Option<&'a Tensor>,
    adds: bool,
}

impl<'a> Product<'a> {
    /// A product that is all of its output.
    fn new(weights: &'a Tensor, output: ActivationOf) -> Self {
        Self { weights, output, columns: None, offset: 0, bias: None, adds: false }
    }
}

impl Backend for CpuBackend {
    type Tensor = Tensor;
    type LayerCache = LayerCacheIndex;
    type Answer = ();

    fn allocate(&mut self, info: &TensorInfo) -> Result<Tensor> {
        let matrix = Matrix::allocate(check_width(info)?)?;
        Ok(self.keep(matrix))
    }

    fn allocate_table(&mut self, info: &TensorInfo) -> Result<Tensor> {
        let table = Matrix::allocate_table(check_width(info)?)?;
        Ok(self.keep(table))
    }

    fn tensor_bytes(tensor: &Tensor) -> u64 {
        tensor.bytes
    }

    fn allocate_cache(&mut self, positions: usize) -> Result<LayerCacheIndex> {
        let Dimensions { kv_heads, head_dim, kv_cache, .. } = self.dimensions;
        let cache = LayerCache::allocate(kv_cache, kv_heads, positions, head_dim)
            .ok_or_else(|| out_of_memory("the KV cache"))?;
        let index = self.caches.iter().position(Option::is_none).unwrap_or(self.caches.len());
        if index == self.caches.len() {
            self.caches.push(None);
        }
        self.caches[index] = Some(cache);
        Ok(LayerCacheIndex(index))
    }

    async fn grow_cache(&mut self, cache: &mut LayerCacheIndex, positions: usize) -> Result<()> {
        let cache = &mut self.caches[cache.0];
        let grown = cache.as_ref().and_then(|cache| cache.grown(positions));
        *cache = Some(grown.ok_or_else(|| out_of_memory("the KV cache"))?);
        Ok(())
    }

    fn free_cache(&mut self, cache: LayerCacheIndex) {
        self.caches[cache.0] = None;
    }

    fn upload(&mut self, tensor: &Tensor, offset_bytes: u64, bytes: &[u8]) {
        self.tensors[tensor.index].upload(offset_bytes, bytes);
    }

    fn finish_uploads(&mut self) {}

    async fn wait(&mut self) -> Result<()> {
        event_loop::turn().await;
        Ok(())
    }

    async fn submit_ahead(&mut self) -> Result<()> {
        event_loop::turn().await;
        Ok(())
    }

    fn begin(&mut self, tokens: &[u32], position: usize) {
        self.positions.clear();
        self.positions.extend(position..position + tokens.len());
        self.start(tokens);
    }

    fn begin_batch(&mut self, tokens: &[u32], positions: &[usize]) {
        self.positions.clear();
        self.positions.extend_from_slice(positions);
        self.start(tokens);
    }

    fn rehearse(&mut self, _tokens: usize, _position: usize) {
        self.is_rehearsal = true;
    }

    fn embed(&mut self, table: &Tensor, _next_norm: &Tensor) {
        if self.is_rehearsal {
            return;
        }
        let table = &self.tensors[table.index];
        let rows = self.activations.residual.chunks_exact_mut(self.dimensions.hidden);
        for (token, row) in self.tokens.iter().zip(rows) {
            table.decode_row(*token as usize, row);
        }
        self.counters.weight_bytes_read += table.tensor_type.row_bytes(table.columns) * self.tokens.len() as u64;
    }

    fn query_key_value(&mut self, norm: &Tensor, projections: [&Projection<Tensor>; 3]) {
        if self.is_rehearsal {
            return;
        }
        self.key_bias.clone_from(&projections[1].bias);
        self.normalize(norm);
        let columns = Some(self.dimensions.qkv_columns());
        let mut offset = 0;
        let products = projections.map(|Projection { weight, bias }| {
            let output: ActivationOf = |activations| &mut activations.qkv;
            let product = Product { columns, offset, bias: bias.as_ref(), ..Product::new(weight, output) };
            offset += self.tensors[weight.index].rows;
            product
        });
        self.multiply(|activations| &mut activations.normalized, products);
    }

    fn attention(&mut self, norms: Option<&HeadNorms<Tensor>>, cache: &LayerCacheIndex) {
        if !self.is_rehearsal {
            self.attend(norms, cache, 0..self.tokens.len());
        }
    }

    fn attention_batch(&mut self, norms: Option<&HeadNorms<Tensor>>, caches: &[&LayerCacheIndex]) {
        for (row, cache) in caches.iter().enumerate() {
            self.attend(norms, cache, row..row + 1);
        }
    }

    fn keep_last_row(&mut self) {
        if self.is_rehearsal {
            return;
        }
        let last = self.tokens.len() - 1;
        let Dimensions { hidden, heads, head_dim, .. } = self.dimensions;
        let Activations { residual, attention, .. } = &mut self.activations;
        for (rows, columns) in [(residual, hidden), (attention, heads * head_dim)] {
            rows.copy_within(last * columns..(last + 1) * columns, 0);
        }
        self.tokens.drain(..last);
        self.positions.drain(..last);
    }

    fn attention_output(&mut self, weight: &Tensor, _next_norm: &Tensor) {
        if !self.is_rehearsal {
            self.add_to_residual(weight, |activations| &mut activations.attention);
        }
    }

    fn gate_up(&mut self, norm: &Tensor, gate: &Tensor, up: &Tensor) {
        if self.is_rehearsal {
            return;
        }
        self.normalize(norm);
        let products = [
            Product::new(gate, |activations| &mut activations.gate),
            Product::new(up, |activations| &mut activations.up),
        ];
        self.multiply(|activations| &mut activations.normalized, products);
        let length = self.tokens.len() * self.dimensions.feed_forward;
        silu_mul(&mut self.activations.gate[..length], &self.activations.up[..length]);
    }

    fn feed_forward_output(&mut self, weight: &Tensor, _next_norm: &Tensor) {
        if !self.is_rehearsal {
            self.add_to_residual(weight, |activations| &mut activations.gate);
        }
    }

    fn head(&mut self, norm: &Tensor, head: &Tensor, first_row: usize, rows: usize) {
        let Dimensions { hidden, vocabulary, rms_epsilon, .. } = self.dimensions;
        let Activations { residual, normalized, logits, .. } = &mut self.activations;
        let normalized = &mut normalized[..rows * hidden];
        let weight = self.tensors[norm.index].floats();
        rms_norm(&residual[first_row * hidden..][..rows * hidden], weight, rms_epsilon, normalized);
        let matrix = &self.tensors[head.index];
        if matrix.reads_quantized() {
            self.quantized.fill(normalized, hidden);
        }
        logits.resize(rows * vocabulary, 0.0);
        let mut output = Output::all(logits, vocabulary);
        let input = Input { floats: normalized, quantized: &self.quantized };
        multiply(matrix, input, rows, &mut output, &mut self.scratch);
        self.counters.weight_bytes_read += head.bytes;
    }

    async fn read_logits(&mut self) -> Result<Vec<f32>> {
        event_loop::turn().await;
        Ok(std::mem::take(&mut self.activations.logits))
    }

    /// Never: what chooses tokens from logits on the host is on the same processor.
    fn can_sample(&self, _sampling: &Sampling) -> bool {
        false
    }

    fn begin_answer(&mut self, _sampling: &Sampling, _choices: usize, _prompt: &[u32]) {}

    fn sample(&mut self, _norm: &Tensor, _head: &Tensor) {}

    fn allocate_answer(&mut self) {}

    fn free_answer(&mut self, (): ()) {}

    fn start_answer(&mut self, (): &(), _sampling: &Sampling, _choices: usize, _prompt: &[u32]) {}

    fn sample_rows(&mut self, norm: &Tensor, head: &Tensor, answers: &[Option<&()>]) {
        self.head(norm, head, 0, answers.len());
    }

    async fn read_rows(&mut self) -> Result<Vec<Option<u32>>> {
        Ok(vec![None; self.activations.logits.len() / self.dimensions.vocabulary])
    }

    fn submit_sampled(&mut self) {}

    fn begin_sampled(&mut self, _position: usize) {
        self.is_rehearsal = true;
    }

    fn repeat(&mut self, _position: usize) -> bool {
        false
    }

    async fn read_sampled(&mut self) -> Result<u32> {
        Err(Error::new(ErrorKind::Internal, "the processor was asked for a token that it can't choose"))
    }

    fn discard_sampled(&mut self) {}

    fn discard(&mut self) {}

    fn counters(&self) -> Counters {
        self.counters
    }
}

/// Refuses matrices whose rows aren't whole groups.
fn check_width(info: &TensorInfo) -> Result<&TensorInfo> {
    if info.rows > 1 && !info.columns.is_multiple_of(blocks::GROUP) {
        return Err(Error::new(ErrorKind::UnsupportedModel, "a matrix is not a whole number of blocks wide")
            .at(&info.name)
            .got(format!("{} columns", info.columns))
            .expected("a multiple of 32"));
    }
    Ok(info)
}

fn zeros(length: usize) -> Option<Vec<f32>> {
    let mut zeros = Vec::new();
    zeros.try_reserve_exact(length).ok()?;
    zeros.resize(length, 0.0);
    Some(zeros)
}

fn out_of_memory(what: &str) -> Error {
    Error::new(ErrorKind::OutOfMemory, "there is no memory for it").at(what)
}
