//! What the KV cache holds: the keys and values of every layer, and the tokens that they stand for.

use crate::backend::Backend;
use crate::error::{Error, ErrorKind, Result};

/// Positions by which the cache grows: of a Qwen3, 117 MB.
const GROWTH_STEP: usize = 1024;

/// The KV cache of a model: for the tokens in it, nothing needs to be computed again. It takes no more memory than the
/// conversation needs, in steps of 1024 positions.
pub struct KvCache<B: Backend> {
    /// One for each layer.
    pub layers: Vec<B::LayerCache>,
    tokens: Vec<u32>,
    /// Positions after those of `tokens` whose tokens are computed already, but only the device knows which they are.
    unknown: usize,
    capacity: usize,
    /// Positions that each layer has room for now: the same, unless the device refused while the layers grew.
    allocated: Vec<usize>,
}

impl<B: Backend> KvCache<B> {
    /// An empty cache for `layers` layers, which may grow to `capacity` positions.
    pub fn allocate(backend: &mut B, layers: usize, capacity: usize) -> Result<Self> {
        Self::with_room(backend, layers, capacity, capacity.min(GROWTH_STEP))
    }

    /// The same with room for so many positions at first.
    pub(super) fn with_room(backend: &mut B, layers: usize, capacity: usize, room: usize) -> Result<Self> {
        let allocated = vec![room; layers];
        let layers = (0..layers).map(|_| backend.allocate_cache(room)).collect::<Result<_>>()?;
        Ok(Self { layers, tokens: Vec::new(), unknown: 0, capacity, allocated })
    }

    /// Positions that every layer has room for now.
    fn room(&self) -> usize {
        self.allocated.iter().copied().min().unwrap_or(self.capacity)
    }

    /// Makes room for what is still missing of the capacity, and frees it again: a device that has no room for a full cache
    /// says so now, and not in the middle of a conversation.
    pub fn try_capacity(&self, backend: &mut B) -> Result<()> {
        let missing = self.capacity - self.room();
        if missing > 0 {
            let rest: Vec<_> = self.layers.iter().map(|_| backend.allocate_cache(missing)).collect::<Result<_>>()?;
            rest.into_iter().for_each(|cache| backend.free_cache(cache));
        }
        Ok(())
    }

    /// Makes room for so many positions, and maybe more, one layer after the other: so hardly more memory is taken than in
    /// the end. More than the capacity is left to [`append`](Self::append) to refuse.
    ///
    /// # Errors
    /// [`ErrorKind::ContextFull`] when the device has no memory for it. The cache keeps what it holds, and goes on.
    pub async fn reserve(&mut self, backend: &mut B, positions: usize) -> Result<()> {
        let room = self.room();
        if positions <= room {
            return Ok(());
        }
        let grown = positions.next_multiple_of(GROWTH_STEP).min(self.capacity);
        for (layer, allocated) in self.layers.iter_mut().zip(&mut self.allocated) {
            // Some may have grown before the device refused the others.
            if *allocated >= grown {
                continue;
            }
            match backend.grow_cache(layer, grown).await {
                Err(error) if error.kind() == ErrorKind::OutOfMemory => {
                    return Err(Error::new(
                        ErrorKind::ContextFull,
                        "the device has no memory for a longer conversation",
                    )
                    .got(format!("{grown} tokens"))
                    .expected(format!("at most {room}")));
                }
                result => result?,
            }
            *allocated = grown;
        }
        Ok(())
    }

    /// The tokens whose keys and values are here, from the first position on, as far as the host knows them.
    pub fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    /// Positions in all, when it has grown.
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
        debug_assert!(needed <= self.room() || needed > self.capacity, "room was not reserved");
        if needed > self.capacity {
            return Err(Error::new(ErrorKind::ContextFull, "the conversation is longer than the context")
                .got(format!("{needed} tokens"))
                .expected(format!("at most {}", self.capacity)));
        }
        Ok(())
    }
}
