//! Several conversations at once: one pass computes the next token of each, and reads the weights once for all of them.

use super::{KvCache, Model, Wanted};
use crate::backend::{Backend, MAX_BATCH};
use crate::error::Result;
use crate::sampling::Sampling;

/// What there is to go on with in one of several conversations.
#[derive(Debug)]
pub enum NextToken {
    /// The token that the device chose.
    Chosen(u32),
    /// The logits, `[vocabulary]`, from which the host has to choose.
    FromLogits(Vec<f32>),
}

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

    /// Has the device choose the tokens of an answer to `prompt`, one of several, by settings that
    /// [`can_sample`](Self::can_sample) agreed to. It takes the place of one that is over, where there is such `room`.
    pub fn start_answer(
        &mut self,
        room: Option<B::Answer>,
        sampling: &Sampling,
        choices: usize,
        prompt: &[u32],
    ) -> B::Answer {
        let answer = room.unwrap_or_else(|| self.backend.allocate_answer());
        self.backend.start_answer(&answer, sampling, choices, prompt);
        answer
    }

    /// Frees the room of such an answer.
    pub fn free_answer(&mut self, answer: B::Answer) {
        self.backend.free_answer(answer);
    }

    /// What comes after the rows of the last pass, one for each of `answers`: the device chooses where there is one.
    ///
    /// # Errors
    /// Those of [`logits`](Self::logits).
    pub async fn next_tokens(&mut self, answers: &[Option<&B::Answer>]) -> Result<Vec<NextToken>> {
        let Self { backend, weights, config, .. } = self;
        let vocabulary = config.dimensions.vocabulary;
        backend.sample_rows(&weights.output_norm, &weights.output, answers);
        let tokens = backend.read_rows().await?;
        let logits = if tokens.contains(&None) { self.read_logits().await? } else { Vec::new() };
        let next = |(row, token): (usize, Option<u32>)| match token {
            Some(token) => NextToken::Chosen(token),
            None => NextToken::FromLogits(logits[row * vocabulary..][..vocabulary].to_vec()),
        };
        Ok(tokens.into_iter().enumerate().map(next).collect())
    }

    /// Computes one token of each of several conversations (1 to [`MAX_BATCH`]), at the end of its cache. What comes
    /// after them, a row each, can be asked for with [`next_tokens`](Self::next_tokens) or [`logits`](Self::logits).
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
        Self::layers(backend, weights, Wanted::All, |backend, layer, norms| {
            let layer_caches: Vec<&B::LayerCache> = caches.iter().map(|cache| &cache.layers[layer]).collect();
            backend.attention_batch(norms, &layer_caches);
        });
        Ok(())
    }
}
