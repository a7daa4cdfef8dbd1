//! Which part of a product a workgroup computes: `shaders/shared/register_tile.wgsl`.

use crate::backend::gpu::shaders::Constant;

/// Rows, and tokens, that a thread computes.
const THREAD_OUTPUTS: usize = 8;

/// The layout of a workgroup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RegisterTile {
    /// Threads that have different rows.
    row_threads: usize,
    /// Threads that have different tokens.
    token_threads: usize,
}

impl RegisterTile {
    /// A tile of 64 tokens, which decodes each weight once for them all; one of 16 where a quarter or more of the other would
    /// be of tokens that are not there.
    pub(super) fn for_tokens(tokens: usize) -> Self {
        let (row_threads, token_threads) = if tokens <= 48 { (16, 2) } else { (8, 8) };
        Self { row_threads, token_threads }
    }

    /// Workgroups in each direction for a product of `rows` and `tokens`.
    pub(super) fn workgroups(self, rows: usize, tokens: usize) -> [usize; 3] {
        [rows.div_ceil(self.row_threads * THREAD_OUTPUTS), tokens.div_ceil(self.token_threads * THREAD_OUTPUTS), 1]
    }

    /// The constants ROW_THREADS and TOKEN_THREADS.
    pub(super) fn constants(self) -> [(&'static str, Constant); 2] {
        [("ROW_THREADS", self.row_threads.into()), ("TOKEN_THREADS", self.token_threads.into())]
    }
}
