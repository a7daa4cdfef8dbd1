//! How fast the processor's memory is: the measure for products of one token, which do little but read weights.

use web_time::{Duration, Instant};

use crate::error::{Error, ErrorKind, Result};

/// Larger than most caches, and small beside a model.
const BUFFER_BYTES: usize = 64 << 20;
/// A run takes at least so long.
const SHORTEST_RUN: Duration = Duration::from_millis(200);
/// Whatever disturbs a run can only slow it, so the best of several counts.
const RUNS: usize = 3;

/// Bytes per second that a copy from one half of a buffer to the other moves, those read and those written together.
///
/// # Errors
/// `out-of-memory` when there is no room for 64 MiB.
pub fn measure_bandwidth() -> Result<f64> {
    let mut buffer = Vec::new();
    buffer
        .try_reserve_exact(BUFFER_BYTES)
        .map_err(|_| Error::new(ErrorKind::OutOfMemory, "there is no memory to copy").got(BUFFER_BYTES))?;
    buffer.resize(BUFFER_BYTES, 1u8);
    let mut best: f64 = 0.0;
    for _ in 0..RUNS {
        let started = Instant::now();
        let mut moved_bytes = 0.0;
        while started.elapsed() < SHORTEST_RUN {
            buffer.copy_within(..BUFFER_BYTES / 2, BUFFER_BYTES / 2);
            std::hint::black_box(&mut buffer);
            moved_bytes += BUFFER_BYTES as f64;
        }
        best = best.max(moved_bytes / started.elapsed().as_secs_f64());
    }
    Ok(best)
}
