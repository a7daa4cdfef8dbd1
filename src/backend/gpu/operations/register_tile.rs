//! Which part of a product for many tokens a workgroup of 64 threads computes: `shaders/shared/register_tile.wgsl`.

/// Threads of a workgroup.
const THREADS: usize = 64;

/// Rows, and tokens, that a thread computes.
const THREAD_OUTPUTS: usize = 8;

/// Threads of a workgroup that have different tokens, at most.
const MAX_TOKEN_THREADS: usize = 8;

/// The part of the output that a workgroup computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RegisterTile {
    rows: usize,
    tokens: usize,
}

impl RegisterTile {
    /// A square, as `shaders/matmul_quantized.wgsl` has it for any number of tokens.
    pub(super) const SQUARE: Self =
        Self { rows: THREADS / MAX_TOKEN_THREADS * THREAD_OUTPUTS, tokens: MAX_TOKEN_THREADS * THREAD_OUTPUTS };

    /// Only as many tokens as there are, and more rows for it, as in `shaders/matmul.wgsl`.
    pub(super) fn for_tokens(tokens: usize) -> Self {
        let token_threads = tokens.div_ceil(THREAD_OUTPUTS).min(MAX_TOKEN_THREADS);
        Self { rows: THREADS / token_threads * THREAD_OUTPUTS, tokens: token_threads * THREAD_OUTPUTS }
    }

    /// Workgroups in each direction for a product of `rows` and `tokens`.
    pub(super) fn workgroups(self, rows: usize, tokens: usize) -> [usize; 3] {
        [rows.div_ceil(self.rows), tokens.div_ceil(self.tokens), 1]
    }
}
