//! How fast a GPU makes the products of one token: what it reads of weights, and what a dispatch takes.

use std::time::Duration;

use web_time::Instant;

use super::device::{Device, MAX_BINDING_BYTES};
use super::operations::{GateUp, SiluMul, Weighed};
use super::recorder::Recorder;
use super::tensor::Tensor;
use crate::backend::{MEASURED_COLUMNS, MEASURED_TYPES, ReadingRates};
use crate::error::Result;
use crate::gguf::{TensorInfo, TensorType};

/// Of each of the two matrices that a product reads: together more than the caches of most GPUs.
const MATRIX_BYTES: u64 = 64 << 20;
/// The same on a device that computes in software.
const SOFTWARE_MATRIX_BYTES: u64 = 4 << 20;
/// A run takes at least so long.
const SHORTEST_RUN: Duration = Duration::from_millis(80);
/// And so many times as long as it takes to hear of an empty one: some browsers look only every 100 ms.
const SHORTEST_RUN_IN_WAITS: u32 = 5;
/// More than this is not handed over at once, however fast it is.
const MOST_DISPATCHES: u32 = 4096;
/// Numbers of the kernel that takes no time by itself.
const SMALL_COLUMNS: usize = 64;

/// Measures the largest product of decoding, that of gate and up, for each of the [`MEASURED_TYPES`], and a dispatch of next to
/// no work that waits for the one before. Takes about a second on a GPU, and 138 MB of its memory; longer where the end of work
/// is noticed late, or where a device computes in software.
///
/// # Errors
/// `out-of-memory` when there is no room, and what else the device reports.
pub async fn measure_reading_rates(device: &Device) -> Result<ReadingRates> {
    let mut stopwatch = Stopwatch { recorder: Recorder::new(device.clone()), shortest_run: SHORTEST_RUN };
    let wait = stopwatch.time(|_| ()).await?.max(stopwatch.time(|_| ()).await?);
    stopwatch.shortest_run = SHORTEST_RUN.max(wait * SHORTEST_RUN_IN_WAITS);

    let seconds_per_dispatch = measure_dispatch(&mut stopwatch).await?;
    let mut bytes_per_second = Vec::new();
    for tensor_type in MEASURED_TYPES {
        bytes_per_second.push((tensor_type, measure_product(&mut stopwatch, tensor_type).await?));
    }
    Ok(ReadingRates { bytes_per_second, seconds_per_dispatch })
}

async fn measure_dispatch(stopwatch: &mut Stopwatch) -> Result<f64> {
    let buffer = |label| {
        let bytes = SMALL_COLUMNS * size_of::<f32>();
        stopwatch.recorder.device().buffer(label, bytes as u64, wgpu::BufferUsages::STORAGE)
    };
    let (gate, up) = (buffer("rewritten"), buffer("read"));
    let dispatch = SiluMul { gate: &gate, up: &up, tokens: 1, columns: SMALL_COLUMNS };
    stopwatch.seconds_of(|recorder| dispatch.record(recorder)).await
}

/// Bytes per second.
async fn measure_product(stopwatch: &mut Stopwatch, tensor_type: TensorType) -> Result<f64> {
    let device = stopwatch.recorder.device().clone();
    let buffer =
        |label, floats: usize| device.buffer(label, (floats * size_of::<f32>()) as u64, wgpu::BufferUsages::STORAGE);
    let matrix_bytes = if device.is_software { SOFTWARE_MATRIX_BYTES } else { MATRIX_BYTES };
    let row_bytes = tensor_type.row_bytes(MEASURED_COLUMNS);
    let rows = (matrix_bytes / row_bytes) as usize;
    let (row, squares, hidden) =
        (buffer("weighed", MEASURED_COLUMNS), buffer("squares", MEASURED_COLUMNS / 8), buffer("hidden", rows));
    // Zeros, which take as long as any other weights.
    let bytes = row_bytes * rows as u64;
    let name = "measured".to_string();
    let info = TensorInfo { name, tensor_type, rows, columns: MEASURED_COLUMNS, bytes: 0..bytes };
    let [gate, up] = [(); 2].map(|()| Tensor::allocate(&device, &info, MAX_BINDING_BYTES));
    let product = GateUp {
        input: Weighed { row: &row, squares: &squares },
        epsilon: 1e-6,
        gate: &gate,
        up: &up,
        hidden: &hidden,
    };
    let seconds = stopwatch.seconds_of(|recorder| product.record(recorder)).await;
    // Their memory is wanted back now, not when the garbage collector of a browser finds time.
    for matrix in [&gate, &up] {
        stopwatch.recorder.forget(matrix.buffer());
        matrix.buffer().destroy();
    }
    Ok(2.0 * bytes as f64 / seconds?)
}

/// Takes the time of work on the device.
struct Stopwatch {
    recorder: Recorder,
    shortest_run: Duration,
}

impl Stopwatch {
    /// The seconds that what `record` records takes when it is done again and again.
    async fn seconds_of(&mut self, record: impl Fn(&mut Recorder)) -> Result<f64> {
        // The first time compiles the kernel and touches all memory.
        self.time(&record).await?;
        let mut count = 1;
        loop {
            let time = self.time(|recorder| (0..count).for_each(|_| record(recorder))).await?;
            if time >= self.shortest_run || count >= MOST_DISPATCHES {
                // Whatever disturbs a run can only slow it.
                let again = self.time(|recorder| (0..count).for_each(|_| record(recorder))).await?;
                return Ok(time.min(again).as_secs_f64() / f64::from(count));
            }
            count *= if time < self.shortest_run / 8 { 8 } else { 2 };
        }
    }

    /// From handing over what `record` records to the device's saying that it is done.
    async fn time(&mut self, record: impl Fn(&mut Recorder)) -> Result<Duration> {
        record(&mut self.recorder);
        let started = Instant::now();
        self.recorder.wait().await?;
        Ok(started.elapsed())
    }
}
