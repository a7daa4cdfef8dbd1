//! What a forward pass is made of: a few fused operations, as one trait.
//!
//! [`gpu`] runs them as compute shaders, [`cpu`] on the processor. The model code knows only this trait, so it reads the same
//! for every device.

pub mod cpu;
pub mod gpu;
mod kv_cache_format;
mod reading_rates;

pub use self::kv_cache_format::{KV_GROUP, KvCacheFormat};
pub use self::reading_rates::{MEASURED_COLUMNS, MEASURED_TYPES, ReadingRates};

use crate::error::Result;
use crate::gguf::TensorInfo;
use crate::sampling::Sampling;

/// The most tokens that one forward pass takes. It bounds the size of the activations, and how long a device is busy
/// before an abort can take effect.
pub const MAX_PASS_TOKENS: usize = 64;

/// The most rows of logits that one call of [`Backend::head`] gives. A row is 600 KB.
pub const MAX_LOGIT_ROWS: usize = 8;

/// The most conversations whose next tokens one pass computes: their logits are made at once.
pub const MAX_BATCH: usize = MAX_LOGIT_ROWS;

/// The sizes that fix the shape of every operation.
#[derive(Debug, Clone, PartialEq)]
pub struct Dimensions {
    /// Layers of the model.
    pub layers: usize,
    /// Width of the residual stream; a multiple of 32.
    pub hidden: usize,
    /// Width of the feed-forward layer; a multiple of 32.
    pub feed_forward: usize,
    /// Query heads; a multiple of `kv_heads`.
    pub heads: usize,
    /// Key and value heads.
    pub kv_heads: usize,
    /// Dimensions of a head; a multiple of 64.
    pub head_dim: usize,
    /// Tokens in the vocabulary: rows of the embedding and the head.
    pub vocabulary: usize,
    /// Positions that the KV cache may grow to.
    pub context: usize,
    /// How the KV cache keeps its numbers.
    pub kv_cache: KvCacheFormat,
    /// What the root mean square norm adds to the mean square.
    pub rms_epsilon: f32,
    /// The base of the rotary embedding's frequencies.
    pub rope_base: f64,
}

impl Dimensions {
    /// Columns of a query, key and value row: `(heads + 2 kv_heads) * head_dim`.
    pub fn qkv_columns(&self) -> usize {
        (self.heads + 2 * self.kv_heads) * self.head_dim
    }

    /// The first pair of dimensions of a head (i and i + head_dim / 2) that turns by at most 1 over the whole context; all pairs
    /// after it turn more slowly. `head_dim / 2` where there is none.
    pub fn first_steady_pair(&self) -> usize {
        let pairs = self.head_dim / 2;
        let turns = |pair: usize| self.rope_base.powf(-(pair as f64) / pairs as f64) * self.context as f64;
        (0..pairs).find(|&pair| turns(pair) <= 1.0).unwrap_or(pairs)
    }

    /// The bytes of all layers' keys and values together when the context is full.
    pub fn kv_cache_bytes(&self) -> u64 {
        let numbers = 2 * (self.layers * self.kv_heads * self.head_dim) as u64 * self.context as u64;
        self.kv_cache.number_bytes(numbers) + self.kv_cache.scale_bytes(numbers)
    }
}

/// A linear layer: `weight` of `[outputs, inputs]`, and a `bias` of `[outputs]` where it has one.
#[derive(Debug, Clone)]
pub struct Projection<T> {
    /// The matrix.
    pub weight: T,
    /// What is added to its product.
    pub bias: Option<T>,
}

/// The norms of queries and keys: weights of `[head_dim]` each, the same for every head.
#[derive(Debug, Clone, Copy)]
pub struct HeadNorms<T> {
    /// For the query heads.
    pub query: T,
    /// For the key heads.
    pub key: T,
}

/// What backends are opened on: a GPU, or the processor.
#[allow(async_fn_in_trait, reason = "used through generics on one thread only, so no Send bound is wanted")]
pub trait Platform {
    /// The backends that it gives.
    type Backend: Backend;

    /// A backend for a model of these dimensions.
    ///
    /// # Errors
    /// `unsupported-model` when the model's shape is more than it can do, `out-of-memory` where there is no room.
    fn open(&self, dimensions: Dimensions) -> Result<Self::Backend>;

    /// Calls `make`, which allocates memory on a backend of this platform, and finds out whether there was room.
    ///
    /// # Errors
    /// Those of `make`, and `out-of-memory`.
    async fn make_room<T>(&self, make: impl FnOnce() -> Result<T>) -> Result<T>;
}

/// A device that holds weights and runs the operations of a forward pass.
///
/// A pass starts with [`begin`](Self::begin) and [`embed`](Self::embed), goes through the layers, and ends with
/// [`head`](Self::head) where the host wants its logits, or with [`sample`](Self::sample) where the device chooses the next
/// token itself. The latter's pass starts with [`begin_sampled`](Self::begin_sampled), and needs nothing from the host; so
/// several can be under way before the first one's token is read. Operations record work; only the asynchronous functions
/// wait for the device. Activations stay inside: the residual stream `[tokens, hidden]`, and what the operations hand on.
#[allow(async_fn_in_trait, reason = "used through generics on one thread only, so no Send bound is wanted")]
pub trait Backend {
    /// A tensor of weights on the device; a clone is another handle to the same memory.
    type Tensor: Clone;
    /// The keys and values of one layer, for as many positions as it was given room for.
    type LayerCache;
    /// How the tokens of one of several conversations are chosen on the device, and what that has come to.
    type Answer;

    /// Makes room for a tensor.
    fn allocate(&mut self, info: &TensorInfo) -> Result<Self::Tensor>;

    /// Makes room for a table of which only rows are looked up, and no product is made.
    fn allocate_table(&mut self, info: &TensorInfo) -> Result<Self::Tensor> {
        self.allocate(info)
    }

    /// The bytes that a tensor takes on the device.
    fn tensor_bytes(tensor: &Self::Tensor) -> u64;

    /// Makes room for one layer's keys and values, `[positions, kv_heads, head_dim]` each.
    fn allocate_cache(&mut self, positions: usize) -> Result<Self::LayerCache>;

    /// Makes room for more positions in a layer's cache, and keeps what it holds.
    ///
    /// # Errors
    /// `out-of-memory`; the cache is as it was then.
    async fn grow_cache(&mut self, cache: &mut Self::LayerCache, positions: usize) -> Result<()>;

    /// Frees a layer's cache.
    fn free_cache(&mut self, cache: Self::LayerCache);

    /// Writes part of a tensor's bytes, as they are in the file. `offset_bytes` is that of an even block, and the length
    /// one of whole blocks, an even number but for the tensor's last part. The parts of a tensor come in order.
    fn upload(&mut self, tensor: &Self::Tensor, offset_bytes: u64, bytes: &[u8]);

    /// Frees what only uploading needed. To be called when every tensor is complete.
    fn finish_uploads(&mut self);

    /// Hands over what was recorded and uploaded, and waits until it is done. Waiting bounds what is in flight.
    ///
    /// # Errors
    /// `out-of-memory` or `device-lost`, for everything since the last wait.
    async fn wait(&mut self) -> Result<()>;

    /// Hands over what was recorded, and waits until the device has done what the call before this one handed over. So it
    /// always has work, but never much.
    ///
    /// # Errors
    /// `out-of-memory` or `device-lost`, for everything since the last wait.
    async fn submit_ahead(&mut self) -> Result<()>;

    /// Starts a pass over `tokens` (1 to [`MAX_PASS_TOKENS`]); the first has this `position` in the conversation.
    fn begin(&mut self, tokens: &[u32], position: usize);

    /// Starts a pass over the next tokens of several conversations (1 to [`MAX_BATCH`]), each with its own position. Such a
    /// pass has [`attention_batch`](Self::attention_batch) in the place of [`attention`](Self::attention).
    fn begin_batch(&mut self, tokens: &[u32], positions: &[usize]);

    /// Starts a pass that will be discarded: recording it makes its kernels ready, and nothing of it is run.
    fn rehearse(&mut self, tokens: usize, position: usize);

    /// residual = rows of `table` `[vocabulary, hidden]`, one for each token. Here and wherever the residual is written,
    /// `next_norm` is what it will be normalised by next, so that the device can prepare for it.
    fn embed(&mut self, table: &Self::Tensor, next_norm: &Self::Tensor);

    /// Normalises the residual by `norm` and projects it to queries, keys and values.
    fn query_key_value(&mut self, norm: &Self::Tensor, projections: [&Projection<Self::Tensor>; 3]);

    /// Normalises queries and keys head by head where there are `norms`, rotates them, appends keys and values to `cache`,
    /// and attends over every position so far.
    fn attention(&mut self, norms: Option<&HeadNorms<Self::Tensor>>, cache: &Self::LayerCache);

    /// The same for a pass over several conversations: each row has a cache of its own.
    fn attention_batch(&mut self, norms: Option<&HeadNorms<Self::Tensor>>, caches: &[&Self::LayerCache]);

    /// From here on the pass is one over its last token, which is row 0: of the last layer nobody wants more. To be done between
    /// attention and what follows it.
    fn keep_last_row(&mut self);

    /// residual += weight · attention.
    fn attention_output(&mut self, weight: &Self::Tensor, next_norm: &Self::Tensor);

    /// Normalises the residual by `norm`; keeps silu(gate · x) * (up · x).
    fn gate_up(&mut self, norm: &Self::Tensor, gate: &Self::Tensor, up: &Self::Tensor);

    /// residual += weight · what [`gate_up`](Self::gate_up) kept.
    fn feed_forward_output(&mut self, weight: &Self::Tensor, next_norm: &Self::Tensor);

    /// logits = head · norm(residual), for `rows` (at most [`MAX_LOGIT_ROWS`]) tokens of the pass from `first_row` on.
    /// May be done several times for one pass, each read before the next.
    fn head(&mut self, norm: &Self::Tensor, head: &Self::Tensor, first_row: usize, rows: usize);

    /// Runs what was recorded and reads the logits of the last [`head`](Self::head), `[rows, vocabulary]`.
    ///
    /// # Errors
    /// `out-of-memory` or `device-lost`, for everything since the last wait.
    async fn read_logits(&mut self) -> Result<Vec<f32>>;

    /// Whether the device can choose tokens so. Where it can't, the host has to, from logits.
    fn can_sample(&self, sampling: &Sampling) -> bool;

    /// Starts an answer to `prompt`, whose tokens are among the first `choices` of the vocabulary and are chosen by
    /// `sampling`, which [`can_sample`](Self::can_sample) agreed to.
    fn begin_answer(&mut self, sampling: &Sampling, choices: usize, prompt: &[u32]);

    /// Chooses a token by head · norm(residual) of the last token of the pass.
    fn sample(&mut self, norm: &Self::Tensor, head: &Self::Tensor);

    /// Makes room for the answer of one of several conversations.
    fn allocate_answer(&mut self) -> Self::Answer;

    /// Frees such room.
    fn free_answer(&mut self, answer: Self::Answer);

    /// What [`begin_answer`](Self::begin_answer) does, for one of several conversations; what was in `answer` before is over.
    fn start_answer(&mut self, answer: &Self::Answer, sampling: &Sampling, choices: usize, prompt: &[u32]);

    /// Chooses a token for each of `answers` (at most [`MAX_BATCH`]), by head · norm(residual) of the first rows of the pass. Where
    /// there is none, the host will, from [`read_logits`](Self::read_logits): only such rows are raw.
    fn sample_rows(&mut self, norm: &Self::Tensor, head: &Self::Tensor, answers: &[Option<&Self::Answer>]);

    /// Runs what was recorded, if there is a choice in it; the tokens that [`sample_rows`](Self::sample_rows) chose.
    ///
    /// # Errors
    /// Those of [`read_sampled`](Self::read_sampled).
    async fn read_rows(&mut self) -> Result<Vec<Option<u32>>>;

    /// Hands over a pass that ends with [`sample`](Self::sample), whose token will be read with
    /// [`read_sampled`](Self::read_sampled).
    fn submit_sampled(&mut self);

    /// Starts a pass over the token that was sampled last, which has this `position` in the conversation.
    fn begin_sampled(&mut self, position: usize);

    /// Hands over the last pass from [`begin_sampled`](Self::begin_sampled) to [`sample`](Self::sample) once more, at
    /// `position`. Returns whether it could: otherwise the pass has to be recorded.
    fn repeat(&mut self, position: usize) -> bool;

    /// The token sampled the longest ago of those that were not read yet.
    ///
    /// # Errors
    /// `out-of-memory` or `device-lost`; the latter also when the device computed something that is not a number.
    async fn read_sampled(&mut self) -> Result<u32>;

    /// Forgets the tokens that were not read yet.
    fn discard_sampled(&mut self);

    /// Forgets what was recorded and not handed over yet. Its kernels stay compiled.
    fn discard(&mut self);

    /// What has been asked of the device so far.
    fn counters(&self) -> Counters;
}

/// What was asked of a device: exact on any machine, so that a design can be judged where speed can't be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Tokens computed.
    pub tokens: u64,
    /// Kernels started.
    pub dispatches: u64,
    /// Compute passes begun.
    pub passes: u64,
    /// Command buffers handed to the queue.
    pub submits: u64,
    /// Bytes written from the host, weights not counted.
    pub bytes_written: u64,
    /// Bytes read back to the host.
    pub bytes_read: u64,
    /// Bind groups made; those used again don't count.
    pub bind_groups_created: u64,
    /// Bytes of weights that kernels read, as often as they do.
    pub weight_bytes_read: u64,
}

impl std::ops::AddAssign for Counters {
    /// What was asked in all.
    fn add_assign(&mut self, other: Self) {
        self.tokens += other.tokens;
        self.dispatches += other.dispatches;
        self.passes += other.passes;
        self.submits += other.submits;
        self.bytes_written += other.bytes_written;
        self.bytes_read += other.bytes_read;
        self.bind_groups_created += other.bind_groups_created;
        self.weight_bytes_read += other.weight_bytes_read;
    }
}

impl std::ops::Sub for Counters {
    type Output = Self;

    /// What was asked between two readings.
    fn sub(self, earlier: Self) -> Self {
        Self {
            tokens: self.tokens - earlier.tokens,
            dispatches: self.dispatches - earlier.dispatches,
            passes: self.passes - earlier.passes,
            submits: self.submits - earlier.submits,
            bytes_written: self.bytes_written - earlier.bytes_written,
            bytes_read: self.bytes_read - earlier.bytes_read,
            bind_groups_created: self.bind_groups_created - earlier.bind_groups_created,
            weight_bytes_read: self.weight_bytes_read - earlier.weight_bytes_read,
        }
    }
}
