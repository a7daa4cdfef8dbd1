//! The forward pass of Qwen2. Paper: "Qwen2 Technical Report" (2024), section 2.2.

use super::{Config, KvCache, Weights};
use crate::backend::{Backend, Counters, MAX_PASS_TOKENS};
use crate::error::{Error, ErrorKind, Result};

/// A model on a device: weights, KV cache and forward pass.
pub struct Model<B: Backend> {
    /// What the model is.
    pub config: Config,
    backend: B,
    weights: Weights<B::Tensor>,
    cache: KvCache<B>,
}

impl<B: Backend> Model<B> {
    /// A model of loaded weights, with an empty KV cache.
    ///
    /// # Errors
    /// Those of the backend, when it has no room for the cache.
    pub fn new(config: Config, mut backend: B, weights: Weights<B::Tensor>) -> Result<Self> {
        let cache = KvCache::allocate(&mut backend, config.dimensions.layers, config.dimensions.context)?;
        Ok(Self { config, backend, weights, cache })
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

    /// Computes `tokens` (at most [`MAX_PASS_TOKENS`]) at the end of the cache. What is wanted of them is asked for
    /// afterwards with [`logits`](Self::logits).
    ///
    /// # Errors
    /// `context-full` when the cache has no room for them; nothing is computed then.
    pub fn forward(&mut self, tokens: &[u32]) -> Result<()> {
        debug_assert!((1..=MAX_PASS_TOKENS).contains(&tokens.len()));
        let position = self.cache.tokens().len();
        self.cache.append(tokens)?;
        let Self { backend, weights, cache, .. } = self;

        backend.begin(tokens, position);
        backend.embed(&weights.token_embedding);
        for (layer, cache) in weights.layers.iter().zip(&cache.layers) {
            backend.query_key_value(&layer.attention_norm, [&layer.query, &layer.key, &layer.value]);
            backend.attention(cache);
            backend.attention_output(&layer.attention_output);
            backend.gate_up(&layer.feed_forward_norm, &layer.gate, &layer.up);
            backend.feed_forward_output(&layer.down);
        }
        Ok(())
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
        let logits = backend.read_logits().await?;
        if let Some(broken) = logits.iter().find(|logit| !logit.is_finite()) {
            return Err(Error::new(ErrorKind::DeviceLost, "the device computes wrongly, or the file is damaged")
                .at("logits")
                .got(broken)
                .expected("finite numbers"));
        }
        Ok(logits)
    }

    /// Waits until the device has done all passes so far.
    ///
    /// # Errors
    /// `device-lost` or `out-of-memory` from the device.
    pub async fn wait(&mut self) -> Result<()> {
        self.backend.wait().await
    }

    /// Compiles the kernels for single tokens and for several, so that the first answer doesn't wait for them.
    /// Forgets what the cache holds.
    ///
    /// # Errors
    /// `device-lost` when the device refuses a kernel.
    pub async fn compile(&mut self) -> Result<()> {
        for tokens in [&[0][..], &[0, 0]] {
            self.cache.truncate(0);
            self.forward(tokens)?;
            let Self { backend, weights, .. } = self;
            for rows in 1..=tokens.len() {
                backend.head(&weights.output_norm, &weights.output, 0, rows);
            }
            backend.discard();
        }
        self.cache.truncate(0);
        self.backend.wait().await
    }
}
