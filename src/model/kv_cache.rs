//! What the KV cache holds: the keys and values of every layer, and the tokens that they stand for.

use crate::backend::Backend;
use crate::error::{Error, ErrorKind, Result};

/// The KV cache of a model: for the tokens in it, nothing needs to be computed again.
pub struct KvCache<B: Backend> {
    /// One for each layer.
    pub layers: Vec<B::LayerCache>,
    tokens: Vec<u32>,
    /// Positions after those of `tokens` whose tokens are computed already, but only the device knows which they are.
    unknown: usize,
    capacity: usize,
}

impl<B: Backend> KvCache<B> {
    /// An empty cache of `capacity` positions for `layers` layers.
    pub fn allocate(backend: &mut B, layers: usize, capacity: usize) -> Result<Self> {
        let layers = (0..layers).map(|_| backend.allocate_cache(capacity)).collect::<Result<_>>()?;
        Ok(Self { layers, tokens: Vec::new(), unknown: 0, capacity })
    }

    /// The tokens whose keys and values are here, from the first position on, as far as the host knows them.
    pub fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    /// Positions in all.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Positions in use, those of unknown tokens included.
    pub fn position(&self) -> usize {
        self.tokens.len() + self.unknown
    }

    /// How many tokens at the start of `tokens` are here already.
    pub fn common_prefix(&self, tokens: &[u32]) -> usize {
        self.tokens.iter().zip(tokens).take_while(|(cached, token)| cached == token).count()
    }

    /// Forgets everything from `position` on, and whatever is unknown.
    pub fn truncate(&mut self, position: usize) {
        self.tokens.truncate(position);
        self.unknown = 0;
    }

    /// Takes note of tokens that are about to be computed at the end.
    ///
    /// # Errors
    /// [`ErrorKind::ContextFull`] when there is no room for them.
    pub fn append(&mut self, tokens: &[u32]) -> Result<()> {
        debug_assert_eq!(self.unknown, 0, "an unknown token comes before these");
        self.check_room(tokens.len())?;
        self.tokens.extend_from_slice(tokens);
        Ok(())
    }

    /// Takes note of a token that is about to be computed at the end, and that only the device knows yet.
    ///
    /// # Errors
    /// [`ErrorKind::ContextFull`] when there is no room for it.
    pub fn append_unknown(&mut self) -> Result<()> {
        self.check_room(1)?;
        self.unknown += 1;
        Ok(())
    }

    /// Tells the first of the unknown tokens; returns whether there was one.
    pub fn reveal(&mut self, token: u32) -> bool {
        let is_unknown = self.unknown > 0;
        if is_unknown {
            self.unknown -= 1;
            self.tokens.push(token);
        }
        is_unknown
    }

    fn check_room(&self, tokens: usize) -> Result<()> {
        let needed = self.position() + tokens;
        if needed > self.capacity {
            return Err(Error::new(ErrorKind::ContextFull, "the conversation is longer than the context")
                .got(format!("{needed} tokens"))
                .expected(format!("at most {}", self.capacity)));
        }
        Ok(())
    }
}
