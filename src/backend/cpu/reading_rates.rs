//! How fast the processor makes products of one token.

use web_time::{Duration, Instant};

use super::matrix::Matrix;
use super::operations::{Input, Output, Scratch, multiply};
use super::quantized::Quantized;
use crate::backend::{MEASURED_COLUMNS, MEASURED_TYPES, ReadingRates};
use crate::error::Result;
use crate::gguf::{TensorInfo, TensorType};

/// Rows of a matrix: 28 to 52 MB in the file, more than most caches hold, and small beside a model.
const ROWS: usize = 1 << 15;
/// What is uploaded at a time, in rows.
const PIECE_ROWS: usize = 1 << 10;
/// A type is measured for so long in each round.
const SHORTEST_RUN: Duration = Duration::from_millis(60);
/// A browser optimises the module while it runs: the first round makes it do so, whatever it takes.
const ROUNDS: usize = 2;

/// Measures the product that decoding makes, for each of the [`MEASURED_TYPES`]; whatever disturbs one can only slow it, so
/// the best of several counts. Takes a second.
///
/// # Errors
/// `out-of-memory` when there is no room for such a matrix.
pub fn measure_reading_rates() -> Result<ReadingRates> {
    let mut bytes_per_second = MEASURED_TYPES.map(|tensor_type| (tensor_type, 0.0)).to_vec();
    for _ in 0..ROUNDS {
        for (tensor_type, best) in &mut bytes_per_second {
            *best = measure(*tensor_type)?.max(*best);
        }
    }
    Ok(ReadingRates { bytes_per_second, seconds_per_dispatch: 0.0 })
}

/// Bytes per second.
fn measure(tensor_type: TensorType) -> Result<f64> {
    let bytes = tensor_type.row_bytes(MEASURED_COLUMNS) * ROWS as u64;
    let name = "measured".to_string();
    let info = TensorInfo { name, tensor_type, rows: ROWS, columns: MEASURED_COLUMNS, bytes: 0..bytes };
    let mut matrix = Matrix::allocate(&info)?;
    // Memory that nobody wrote to may not be there yet. The weights don't matter: they are small numbers.
    let piece = vec![1; tensor_type.row_bytes(MEASURED_COLUMNS) as usize * PIECE_ROWS];
    for index in 0..ROWS / PIECE_ROWS {
        matrix.upload((index * piece.len()) as u64, &piece);
    }
    let floats = vec![1.0; MEASURED_COLUMNS];
    let mut quantized = Quantized::default();
    quantized.fill(&floats, MEASURED_COLUMNS);
    let (mut values, mut scratch) = (vec![0.0; ROWS], Scratch::default());

    let (started, mut shortest) = (Instant::now(), Duration::MAX);
    while started.elapsed() < SHORTEST_RUN {
        let product_started = Instant::now();
        let mut output = Output::all(&mut values, ROWS);
        multiply(&matrix, Input { floats: &floats, quantized: &quantized }, 1, &mut output, &mut scratch);
        std::hint::black_box(&mut values);
        shortest = shortest.min(product_started.elapsed());
    }
    Ok(bytes as f64 / shortest.as_secs_f64())
}
