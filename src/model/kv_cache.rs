//! What the KV cache holds: the keys and values of every layer, and the tokens that they stand for.

use crate::backend::Backend;
use crate::error::{Error, ErrorKind, Result};

/// The KV cache of a model: for the tokens in it, nothing needs to be computed again.
pub struct KvCache<B: Backend> {
    /// One for each layer.
    pub layers: Vec<B::LayerCache>,
    tokens: Vec<u32>,
    capacity: usize,
}

impl<B: Backend> KvCache<B> {
    /// An empty cache of `capacity` positions for `layers` layers.
    pub fn allocate(backend: &mut B, layers: usize, capacity: usize) -> Result<Self> {
        let layers = (0..layers).map(|_| backend.allocate_cache()).collect::<Result<_>>()?;
        Ok(Self { layers, tokens: Vec::new(), capacity })
    }

    /// The tokens whose keys and values are here, from the first position on.
    pub fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    /// Positions in all.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// How many tokens at the start of `tokens` are here already.
    pub fn common_prefix(&self, tokens: &[u32]) -> usize {
        self.tokens.iter().zip(tokens).take_while(|(cached, token)| cached == token).count()
    }

    /// Forgets everything from `position` on.
    pub fn truncate(&mut self, position: usize) {
        self.tokens.truncate(position);
    }

    /// Takes note of tokens that are about to be computed at the end.
    ///
    /// # Errors
    /// [`ErrorKind::ContextFull`] when there is no room for them.
    pub fn append(&mut self, tokens: &[u32]) -> Result<()> {
        let needed = self.tokens.len() + tokens.len();
        if needed > self.capacity {
            return Err(Error::new(ErrorKind::ContextFull, "the conversation is longer than the context")
                .got(format!("{needed} tokens"))
                .expected(format!("at most {}", self.capacity)));
        }
        self.tokens.extend_from_slice(tokens);
        Ok(())
    }
}
