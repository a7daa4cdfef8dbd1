//! Vaswani et al., "Attention Is All You Need" (2017), section 3.2.1, for one query.

/// y = Σₚ softmaxₚ(q · kₚ / √d) vₚ
pub(crate) fn attention(query: &[f64], keys: &[&[f64]], values: &[&[f64]]) -> Vec<f64> {
    let dot = |key: &&[f64]| query.iter().zip(*key).map(|(q, k)| q * k).sum::<f64>();
    let scores: Vec<f64> = keys.iter().map(|key| dot(key) / (query.len() as f64).sqrt()).collect();
    let largest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let exponentials: Vec<f64> = scores.iter().map(|score| (score - largest).exp()).collect();
    let sum: f64 = exponentials.iter().sum();
    let weighted = |dim: usize| exponentials.iter().zip(values).map(|(weight, value)| weight / sum * value[dim]).sum();
    (0..query.len()).map(weighted).collect()
}
