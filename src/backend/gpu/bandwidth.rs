//! How fast the device's memory is: the measure for kernels that do little but read weights.

use std::time::Duration;

use web_time::Instant;

use super::device::Device;
use super::operations::Copy;
use super::recorder::Recorder;
use crate::error::Result;

/// Of each of the two buffers. Together they are larger than the caches of most GPUs, and small beside a model.
const BUFFER_BYTES: u64 = 64 << 20;
/// What one copy moves: it reads all of one buffer and writes all of the other.
const COPY_BYTES: u64 = 2 * BUFFER_BYTES;
/// A run takes at least so long, because the end of it may be noticed late: some browsers look only every 100 ms.
const SHORTEST_RUN: Duration = Duration::from_millis(400);
/// More copies than this are not handed over at once, however fast they are.
const MOST_COPIES: u32 = 8192;
/// How often a run is repeated once it is long enough.
const REPETITIONS: usize = 3;

/// Bytes per second that a plain copy moves, those read and those written together; the best of several runs, since
/// whatever disturbs one can only slow it. Takes two seconds, longer on a device that computes in software.
///
/// # Errors
/// `out-of-memory` when there is no room for two buffers of 64 MiB, and what else the device reports.
pub async fn measure_bandwidth(device: &Device) -> Result<f64> {
    let buffer = |label| device.buffer(label, BUFFER_BYTES, wgpu::BufferUsages::STORAGE);
    let (source, destination) = (buffer("copied from"), buffer("copied to"));
    let best = measure_copies(device, &source, &destination).await;
    // Their memory is wanted back now, not when the garbage collector of a browser finds time.
    source.destroy();
    destination.destroy();
    best
}

async fn measure_copies(device: &Device, source: &wgpu::Buffer, destination: &wgpu::Buffer) -> Result<f64> {
    let mut recorder = Recorder::new(device.clone());
    // The first copy compiles the kernel and touches all pages.
    time_copies(&mut recorder, source, destination, 1).await?;
    let mut copies = 1;
    while time_copies(&mut recorder, source, destination, copies).await? < SHORTEST_RUN && copies < MOST_COPIES {
        copies *= 2;
    }
    let mut shortest = Duration::MAX;
    for _ in 0..REPETITIONS {
        shortest = shortest.min(time_copies(&mut recorder, source, destination, copies).await?);
    }
    Ok(COPY_BYTES as f64 * f64::from(copies) / shortest.as_secs_f64())
}

/// From handing the work over to the device's saying that it is done.
async fn time_copies(
    recorder: &mut Recorder,
    source: &wgpu::Buffer,
    destination: &wgpu::Buffer,
    copies: u32,
) -> Result<Duration> {
    for _ in 0..copies {
        Copy { source, destination, vectors: (BUFFER_BYTES / 16) as usize }.record(recorder);
    }
    let started = Instant::now();
    recorder.wait().await?;
    Ok(started.elapsed())
}
