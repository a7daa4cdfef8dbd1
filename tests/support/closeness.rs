//! How near a result is to its reference.

/// Fails unless Σ(got − expected)² ≤ `tolerance` · Σ expected². The measure is relative to the whole result, as
/// rounding is: a sum that nearly cancels is no less accurate for being small.
pub(crate) fn assert_close(case: &str, got: &[f32], expected: &[f64], tolerance: f64) {
    assert_eq!(got.len(), expected.len(), "{case}: length");
    let differences = got.iter().zip(expected).map(|(&got, expected)| (f64::from(got) - expected).powi(2));
    let error = differences.sum::<f64>() / expected.iter().map(|expected| expected.powi(2)).sum::<f64>();
    // Not `error > tolerance`, so that what is not a number fails.
    assert!(error <= tolerance, "{case}: the squared error is {error:.1e} of the whole, more than {tolerance:.0e}");
}

/// Fails unless each value is within `tolerance` of its reference, relative to that.
pub(crate) fn assert_each_close(case: &str, got: &[f32], expected: &[f64], tolerance: f64) {
    assert_eq!(got.len(), expected.len(), "{case}: length");
    for (index, (&got, &expected)) in got.iter().zip(expected).enumerate() {
        let difference = (f64::from(got) - expected).abs();
        assert!(difference <= tolerance * expected.abs(), "{case}, value {index}: got {got}, expected {expected}");
    }
}

/// The same values in f64, in which references are computed.
pub(crate) fn widen(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&value| f64::from(value)).collect()
}
