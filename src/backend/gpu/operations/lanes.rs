//! How the threads of a workgroup share the rows of a matrix: `shaders/shared/lanes.wgsl`.

use super::LOGIT_BLOCK;
use crate::backend::gpu::shaders::Constant;

/// The layout of a workgroup for a matrix of some width.
///
/// A thread computes eight rows with what it loads of the input where there are many, in the head and the feed-forward
/// layer; four where there are few, because eight would leave most of a large GPU without work.
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
    /// The fewest rows of a workgroup for a matrix of few rows.
    pub(super) const MIN_FEW_ROWS: usize = 8;

    /// For a matrix of few rows: about as many as the residual stream is wide.
    pub(super) fn for_few_rows(columns: usize) -> Self {
        let (threads, lanes) = (64, Self::lanes(columns));
        Self { threads, rows: threads / lanes * 4, lanes }
    }

    /// For a matrix of many rows.
    pub(super) fn for_many_rows(columns: usize) -> Self {
        let (threads, lanes) = (64, Self::lanes(columns));
        Self { threads, rows: threads / lanes * 8, lanes }
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
