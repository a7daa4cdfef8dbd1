//! What is computed row by row, and element by element.

use qwisp::backend::cpu::operations::{rms_norm, silu_mul};
use qwisp::generate::Random;

use crate::reference;
use crate::support::closeness::{assert_close, assert_each_close, widen};
use crate::support::noise::normal;

#[test]
fn rows_are_normalised() {
    let mut random = Random::new(1);
    for (rows, columns) in [(1, 32), (3, 896)] {
        let (x, weight) = (normal(&mut random, rows * columns, 5.0), normal(&mut random, columns, 1.0));
        let mut got = vec![f32::NAN; rows * columns];
        rms_norm(&x, &weight, 1e-6, &mut got);
        let norm = |x: &[f32]| reference::rms_norm::rms_norm(&widen(x), &widen(&weight), 1e-6);
        let expected: Vec<f64> = x.chunks(columns).flat_map(norm).collect();
        assert_close(&format!("{rows} rows of {columns}"), &got, &expected, 1e-12);
    }
}

#[test]
fn rows_out_of_range_are_no_numbers() {
    let mut x = vec![1.0; 64];
    x[37] = 1e30;
    let mut got = vec![0.0; 64];
    rms_norm(&x, &[1.0; 32], 1e-6, &mut got);
    assert!(got[..32].iter().all(|x| x.is_finite()));
    assert!(got[32..].iter().all(|x| x.is_nan()));
}

#[test]
fn gates_are_multiplied() {
    let mut random = Random::new(2);
    for deviation in [0.01, 3.0, 40.0] {
        let (mut gate, up) = (normal(&mut random, 320, deviation), normal(&mut random, 320, 1.0));
        let expected: Vec<f64> = gate
            .iter()
            .zip(&up)
            .map(|(&gate, &up)| reference::silu_mul::silu_mul(f64::from(gate), f64::from(up)))
            .collect();
        silu_mul(&mut gate, &up);
        // Where e⁸⁸ is the largest that is computed, the rest is as good as nothing.
        let (got, expected): (Vec<f32>, Vec<f64>) =
            gate.into_iter().zip(expected).filter(|(_, expected)| expected.abs() > 1e-35).unzip();
        assert_each_close(&format!("a deviation of {deviation}"), &got, &expected, 2e-6);
    }
}
