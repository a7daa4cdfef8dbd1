//! The forward pass of Qwen2 and Qwen3. Papers: "Qwen2 Technical Report" (2024), section 2.2; "Qwen3 Technical Report"
//! (2025), section 2, which normalises queries and keys and does without biases.

use super::{Config, KvCache, Weights};
use crate::backend::{Backend, Counters, HeadNorms, MAX_PASS_TOKENS};
use crate::error::{Error, ErrorKind, Result};
use crate::sampling::Sampling;

/// The tokens of a pass of which something will be asked for afterwards. For the others the last layer ends after attention,
/// because nothing reads what else it would make of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// None: a later pass goes on from what the cache holds.
    Nothing,
    /// The last one. It is then row 0.
    Last,
    /// Each of them.
    All,
}

/// A model on a device: weights, KV cache and forward pass.
pub struct Model<B: Backend> {
    /// What the model is.
    pub config: Config,
    pub(super) backend: B,
    pub(super) weights: Weights<B::Tensor>,
    pub(super) cache: KvCache<B>,
    /// A sampled token that was read before its own pass was asked for.
    last_read: Option<u32>,
}

impl<B: Backend> Model<B> {
    /// A model of loaded weights, with an empty KV cache.
    ///
    /// # Errors
    /// Those of the backend, when it has no room for the cache.
    pub fn new(config: Config, mut backend: B, weights: Weights<B::Tensor>) -> Result<Self> {
        let cache = KvCache::allocate(&mut backend, config.dimensions.layers, config.dimensions.context)?;
        Ok(Self { config, backend, weights, cache, last_read: None })
    }

    /// The KV cache: which tokens it holds, and making it forget some.
    pub fn cache(&mut self) -> &mut KvCache<B> {
        &mut self.cache
    }

    /// What has been asked of the device so far.
    pub fn counters(&self) -> Counters {
        self.backend.counters()
    }

    /// The device, for what it says of itself.
    pub fn backend(&self) -> &B {
        &self.backend
    }

    /// The device, for handing it the weights' contents.
    pub fn backend_mut(&mut self) -> &mut B {
        &mut self.backend
    }

    /// Makes room in the cache for so many tokens in all, which has to be done before they are computed.
    ///
    /// # Errors
    /// Those of [`KvCache::reserve`]; nothing is lost then.
    pub async fn reserve(&mut self, tokens: usize) -> Result<()> {
        self.cache.reserve(&mut self.backend, tokens).await
    }

    /// Fails where [`KvCache::try_capacity`] does.
    pub fn try_capacity(&mut self) -> Result<()> {
        self.cache.try_capacity(&mut self.backend)
    }

    /// Computes `tokens` (at most [`MAX_PASS_TOKENS`]) at the end of the cache. What is `wanted` of them is asked for
    /// afterwards, with [`logits`](Self::logits) or [`begin_answer`](Self::begin_answer).
    ///
    /// # Errors
    /// `context-full` when the cache has no room for them; nothing is computed then.
    pub fn forward(&mut self, tokens: &[u32], wanted: Wanted) -> Result<()> {
        debug_assert!((1..=MAX_PASS_TOKENS).contains(&tokens.len()));
        let position = self.cache.position();
        self.cache.append(tokens)?;
        self.last_read = None;
        self.backend.begin(tokens, position);
        self.pass(if tokens.len() == 1 && wanted == Wanted::Last { Wanted::All } else { wanted });
        Ok(())
    }

    /// The forward pass itself, from embedding to the last layer.
    fn pass(&mut self, wanted: Wanted) {
        let Self { backend, weights, cache, .. } = self;
        Self::layers(backend, weights, wanted, |backend, layer, norms| backend.attention(norms, &cache.layers[layer]));
    }

    /// The forward pass, with `attention` of a layer, by the layer's norms of queries and keys.
    pub(super) fn layers(
        backend: &mut B,
        weights: &Weights<B::Tensor>,
        wanted: Wanted,
        attention: impl Fn(&mut B, usize, Option<&HeadNorms<B::Tensor>>),
    ) {
        let attention_norm =
            |layer: usize| weights.layers.get(layer).map_or(&weights.output_norm, |layer| &layer.attention_norm);
        backend.embed(&weights.token_embedding, attention_norm(0));
        for (index, layer) in weights.layers.iter().enumerate() {
            backend.query_key_value(&layer.attention_norm, [&layer.query, &layer.key, &layer.value]);
            attention(backend, index, layer.head_norms.as_ref());
            if index + 1 == weights.layers.len() {
                match wanted {
                    Wanted::Nothing => return,
                    Wanted::Last => backend.keep_last_row(),
                    Wanted::All => {}
                }
            }
            backend.attention_output(&layer.attention_output, &layer.feed_forward_norm);
            backend.gate_up(&layer.feed_forward_norm, &layer.gate, &layer.up);
            backend.feed_forward_output(&layer.down, attention_norm(index + 1));
        }
    }

    /// The logits of `rows` tokens of the last [`forward`](Self::forward), from its `first_row`-th on,
    /// `[rows, vocabulary]`; at most [`MAX_LOGIT_ROWS`](crate::backend::MAX_LOGIT_ROWS) at a time.
    ///
    /// # Errors
    /// `device-lost` or `out-of-memory` from the device, and `device-lost` when it computed something that is not a
    /// number: then it is broken, or its driver is.
    pub async fn logits(&mut self, first_row: usize, rows: usize) -> Result<Vec<f32>> {
        let Self { backend, weights, .. } = self;
        backend.head(&weights.output_norm, &weights.output, first_row, rows);
        self.read_logits().await
    }

    /// Logits that the device has computed.
    pub(super) async fn read_logits(&mut self) -> Result<Vec<f32>> {
        let logits = self.backend.read_logits().await?;
        if let Some(broken) = logits.iter().find(|logit| !logit.is_finite()) {
            return Err(Error::new(ErrorKind::DeviceLost, "the device computes wrongly, or the file is damaged")
                .at("logits")
                .got(broken)
                .expected("finite numbers"));
        }
        Ok(logits)
    }

    /// Whether the device can choose tokens by `sampling` itself.
    pub fn can_sample(&self, sampling: &Sampling) -> bool {
        !sampling.needs_logits() && self.backend.can_sample(sampling)
    }

    /// Has the device choose the token after the last one of [`forward`](Self::forward), as the first of an answer to `prompt`,
    /// among the first `choices` of the vocabulary.
    pub fn begin_answer(&mut self, sampling: &Sampling, choices: usize, prompt: &[u32]) {
        self.backend.begin_answer(sampling, choices, prompt);
        self.sample();
        self.backend.submit_sampled();
    }

    fn sample(&mut self) {
        self.backend.sample(&self.weights.output_norm, &self.weights.output);
    }

    /// Computes the token that the device sampled last, whether the host has read it or not, and samples the next one.
    ///
    /// # Errors
    /// `context-full` when the cache has no room for it; nothing is computed then.
    pub fn forward_sampled(&mut self) -> Result<()> {
        let position = self.cache.position();
        match self.last_read.take() {
            Some(token) => self.cache.append(&[token])?,
            None => self.cache.append_unknown()?,
        }
        if !self.backend.repeat(position) {
            self.backend.begin_sampled(position);
            self.pass(Wanted::All);
            self.sample();
            self.backend.submit_sampled();
        }
        Ok(())
    }

    /// The token sampled the longest ago of those that were not read yet.
    ///
    /// # Errors
    /// Those of [`Backend::read_sampled`].
    pub async fn read_sampled(&mut self) -> Result<u32> {
        let token = self.backend.read_sampled().await?;
        self.last_read = (!self.cache.reveal(token)).then_some(token);
        Ok(token)
    }

    /// Forgets the sampled tokens that were not read yet, and what was computed of them.
    pub fn discard_sampled(&mut self) {
        self.backend.discard_sampled();
        self.cache.truncate(self.cache.tokens().len());
        self.last_read = None;
    }

    /// Waits until the device has done all passes but the last one.
    ///
    /// # Errors
    /// `device-lost` or `out-of-memory` from the device.
    pub async fn submit_ahead(&mut self) -> Result<()> {
        self.backend.submit_ahead().await
    }

    /// Compiles the kernels for single tokens and for prompts, so that the first answer doesn't wait for them. The weights
    /// need not be there yet, and nothing is run.
    pub fn compile(&mut self) {
        let last_position = self.cache.capacity() - 1;
        let prompt_tokens = MAX_PASS_TOKENS.min(self.cache.capacity());
        let passes = [(1, 0, Wanted::All), (1, last_position, Wanted::All), (prompt_tokens, 0, Wanted::Last)];
        for (tokens, position, wanted) in passes {
            self.backend.rehearse(tokens, position);
            self.pass(wanted);
            self.sample();
            self.backend.discard();
        }
    }
}
