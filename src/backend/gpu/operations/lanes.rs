//! How the threads of a workgroup share the rows of a matrix: `shaders/shared/lanes.wgsl`.

use crate::backend::gpu::shaders::Constant;

/// The layout of a workgroup for a matrix of some width.
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
    /// Rows of a workgroup for the matrices of a layer.
    pub(super) const ROWS_FOR_LAYER: usize = 8;

    /// For the matrices of a layer: small workgroups, so that there are enough of them for a large GPU.
    pub(super) fn for_layer(columns: usize) -> Self {
        Self { threads: 64, rows: Self::ROWS_FOR_LAYER, lanes: Self::lanes(columns) }
    }

    /// For the head, which has rows enough.
    pub(super) fn for_head(columns: usize) -> Self {
        Self { threads: 128, rows: super::Head::BLOCK_ROWS, lanes: Self::lanes(columns) }
    }

    /// With 32 lanes each thread computes more rows with what it loads of the input; with 16 fewer lanes are idle where a
    /// row has few groups of 32 weights. The former, unless more than an eighth of the lanes would idle.
    fn lanes(columns: usize) -> usize {
        let groups = columns / 32;
        let rounds = groups.div_ceil(32);
        if groups * 8 >= rounds * 32 * 7 { 32 } else { 16 }
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
