//! Dao et al., "Flash-Decoding for long-context inference" (2023): softmax over positions that were split.

/// What one split contributes to a head, with weights relative to its own largest score m: wₚ = exp(sₚ − m).
pub(crate) struct Partial<'a> {
    /// Σₚ wₚ vₚ
    pub(crate) weighted: &'a [f64],
    /// m
    pub(crate) maximum: f64,
    /// Σₚ wₚ
    pub(crate) sum: f64,
}

/// y = Σₛ exp(mₛ − M) Σₚ wₚ vₚ / Σₛ exp(mₛ − M) Σₚ wₚ, with the largest mₛ as M.
pub(crate) fn merge(partials: &[Partial<'_>]) -> Vec<f64> {
    let largest = partials.iter().map(|partial| partial.maximum).fold(f64::NEG_INFINITY, f64::max);
    let corrections: Vec<f64> = partials.iter().map(|partial| (partial.maximum - largest).exp()).collect();
    let merged = |value: &dyn Fn(&Partial<'_>) -> f64| -> f64 {
        partials.iter().zip(&corrections).map(|(partial, correction)| correction * value(partial)).sum()
    };
    let sum = merged(&|partial| partial.sum);
    (0..partials[0].weighted.len()).map(|dim| merged(&|partial| partial.weighted[dim]) / sum).collect()
}
