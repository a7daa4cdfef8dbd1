//! The product of a matrix of floats with some rows of activations, which stay floats.

use super::super::lanes::F32x4;
use super::super::matrix::Matrix;
use super::multiply::{Output, Scratch};

/// Multiplies a matrix of floats with `rows` rows of `input`, `[rows, columns]`.
pub(super) fn multiply_floats(
    matrix: &Matrix,
    input: &[f32],
    rows: usize,
    output: &mut Output<'_>,
    scratch: &mut Scratch,
) {
    scratch.floats.resize(matrix.columns, 0.0);
    for row in 0..matrix.rows {
        matrix.decode_row(row, &mut scratch.floats);
        for (input_row, x) in input.chunks_exact(matrix.columns).take(rows).enumerate() {
            output.put(input_row, row, dot(&scratch.floats, x));
        }
    }
}

/// Σ a · b, of a multiple of 8 numbers.
pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let ((a, _), (b, _)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    let mut sums = [F32x4::ZERO; 2];
    for (a, b) in a.iter().zip(b) {
        let ((a, _), (b, _)) = (a.as_chunks::<4>(), b.as_chunks::<4>());
        for at in 0..2 {
            sums[at] = sums[at] + F32x4::load(&a[at]) * F32x4::load(&b[at]);
        }
    }
    (sums[0] + sums[1]).sum()
}
