//! How the threads of a workgroup share the rows of a matrix: `shaders/shared/lanes.wgsl`.

use super::LOGIT_BLOCK;
use crate::backend::gpu::shaders::Constant;

/// The layout of a workgroup for a matrix of some width.
///
/// A thread computes four rows with what it loads of the input. More would save loads, but a small matrix has too few rows
/// to keep a large GPU busy then; the head has enough for eight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lanes {
    /// Threads of the workgroup.
    threads: usize,
    /// Rows that it computes.
    rows: usize,
    /// Threads that share a row.
    lanes: usize,
}

impl Lanes {
    /// The fewest rows of a workgroup for the matrices of a layer.
    pub(super) const MIN_LAYER_ROWS: usize = 8;

    /// For the matrices of a layer.
    pub(super) fn for_layer(columns: usize) -> Self {
        let (threads, lanes) = (64, Self::lanes(columns));
        Self { threads, rows: threads / lanes * 4, lanes }
    }

    /// For the head: a workgroup computes what shares a maximum.
    pub(super) fn for_head(columns: usize) -> Self {
        let lanes = Self::lanes(columns);
        Self { threads: LOGIT_BLOCK / 8 * lanes, rows: LOGIT_BLOCK, lanes }
    }

    /// Few lanes leave few of them idle where a row has few groups of 32 weights: two rounds of 16 for the 28 groups of
    /// Qwen2.5-0.5B. A long row is shared by more, so that its product isn't a long wait.
    fn lanes(columns: usize) -> usize {
        if columns < 3072 { 16 } else { 32 }
    }

    /// Workgroups for so many rows.
    pub(super) fn workgroups(self, rows: usize) -> usize {
        rows.div_ceil(self.rows)
    }

    /// The constants THREADS, LANES and ROWS_PER_THREAD.
    pub(super) fn constants(self) -> [(&'static str, Constant); 3] {
        [
            ("THREADS", self.threads.into()),
            ("LANES", self.lanes.into()),
            ("ROWS_PER_THREAD", (self.rows * self.lanes / self.threads).into()),
        ]
    }
}
