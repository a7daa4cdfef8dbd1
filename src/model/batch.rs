//! Several conversations at once: one pass computes the next token of each, and reads the weights once for all of them.

use super::{KvCache, Model};
use crate::backend::{Backend, MAX_BATCH};
use crate::error::Result;

impl<B: Backend> Model<B> {
    /// Room for another conversation of at most `capacity` tokens, which is at most the context.
    ///
    /// # Errors
    /// Those of [`KvCache::reserve`].
    pub async fn allocate_cache(&mut self, capacity: usize) -> Result<KvCache<B>> {
        // The rest is room that the device may refuse without being broken.
        let mut cache = KvCache::with_room(&mut self.backend, self.config.dimensions.layers, capacity, 1)?;
        match cache.reserve(&mut self.backend, capacity).await {
            Ok(()) => Ok(cache),
            Err(error) => {
                self.free_cache(cache);
                Err(error)
            }
        }
    }

    /// Frees such room.
    pub fn free_cache(&mut self, cache: KvCache<B>) {
        for layer in cache.layers {
            self.backend.free_cache(layer);
        }
    }

    /// Puts another conversation in the place of the model's own, which is then where the other was.
    pub fn exchange_cache(&mut self, cache: &mut KvCache<B>) {
        std::mem::swap(&mut self.cache, cache);
    }

    /// Computes one token of each of several conversations (1 to [`MAX_BATCH`]), at the end of its cache. The logits after
    /// them, one row each, can be asked for with [`logits`](Self::logits).
    ///
    /// # Errors
    /// `context-full` when a cache has no room. Nothing is computed then, and what the caches hold means nothing any more.
    pub fn forward_batch(&mut self, tokens: &[u32], caches: &mut [&mut KvCache<B>]) -> Result<()> {
        debug_assert!(tokens.len() == caches.len() && (1..=MAX_BATCH).contains(&tokens.len()));
        let positions: Vec<usize> = caches.iter().map(|cache| cache.position()).collect();
        for (token, cache) in tokens.iter().zip(caches.iter_mut()) {
            cache.append(&[*token])?;
        }
        let Self { backend, weights, .. } = self;
        backend.begin_batch(tokens, &positions);
        Self::layers(backend, weights, |backend, layer, norms| {
            let layer_caches: Vec<&B::LayerCache> = caches.iter().map(|cache| &cache.layers[layer]).collect();
            backend.attention_batch(norms, &layer_caches);
        });
        Ok(())
    }
}
