//! Causal attention over a KV cache, tile by tile, with a softmax that is corrected as larger scores come:
//! Milakov and Gimelshein, "Online normalizer calculation for softmax" (2018).

use super::super::lanes::F32x4;
use super::LayerCache;

/// Positions of the cache that are decoded at once, for all rows and all query heads that read them.
const TILE: usize = 32;

/// Vectors of an output that are summed at once: 32 dimensions.
const VECTORS: usize = 8;

/// A score below every other.
const MASKED: f32 = -3.4e38;

/// What attention needs besides its inputs: the shape, and memory that is kept from one call to the next.
#[derive(Debug)]
pub struct Attention {
    heads: usize,
    kv_heads: usize,
    head_dim: usize,
    /// A tile of keys, `[TILE, head_dim]`.
    keys: Vec<f32>,
    /// A tile of values, `[TILE, head_dim]`.
    values: Vec<f32>,
    /// For each row and query head of a KV head: its largest score, and the sum of the exponentials.
    softmax: Vec<(f32, f32)>,
}

impl Attention {
    /// For `heads` query heads on `kv_heads` KV heads, of `head_dim` dimensions, a multiple of 64.
    pub fn new(heads: usize, kv_heads: usize, head_dim: usize) -> Self {
        let tile = || vec![0.0; TILE * head_dim];
        Self { heads, kv_heads, head_dim, keys: tile(), values: tile(), softmax: Vec::new() }
    }

    /// Attends from each row of `queries`, which has `columns` numbers and begins with its query heads, to all positions
    /// of the cache up to its own; the first row's is `position`. Writes `[rows, heads * head_dim]`.
    pub fn attend(&mut self, queries: &[f32], columns: usize, cache: &LayerCache, position: usize, output: &mut [f32]) {
        let Self { heads, kv_heads, head_dim, .. } = *self;
        let (group, rows) = (heads / kv_heads, queries.len() / columns);
        let positions = position + rows;
        output.fill(0.0);
        for kv_head in 0..kv_heads {
            self.softmax.clear();
            self.softmax.resize(rows * group, (MASKED, 0.0));
            for start in (0..positions).step_by(TILE) {
                let length = TILE.min(positions - start);
                cache.decode_keys(kv_head, start, &mut self.keys[..length * head_dim]);
                cache.decode_values(kv_head, start, &mut self.values[..length * head_dim]);
                // Rows before the tile see nothing of it.
                for row in start.saturating_sub(position)..rows {
                    let visible = length.min(position + row + 1 - start);
                    for head in 0..group {
                        let column = (kv_head * group + head) * head_dim;
                        let query = &queries[row * columns + column..][..head_dim];
                        let output = &mut output[row * heads * head_dim + column..][..head_dim];
                        self.attend_to_tile(query, visible, row * group + head, output);
                    }
                }
            }
            for row in 0..rows {
                for head in 0..group {
                    let column = (kv_head * group + head) * head_dim;
                    let factor = F32x4::splat(1.0 / self.softmax[row * group + head].1);
                    let (output, _) = output[row * heads * head_dim + column..][..head_dim].as_chunks_mut::<4>();
                    for output in output {
                        *output = (F32x4::load(output) * factor).to_array();
                    }
                }
            }
        }
    }

    /// Adds to `output` what a query takes of the first `visible` positions of the tile.
    fn attend_to_tile(&mut self, query: &[f32], visible: usize, state: usize, output: &mut [f32]) {
        let head_dim = self.head_dim;
        let scale = 1.0 / (head_dim as f32).sqrt();
        let mut scores = [[MASKED; 4]; TILE / 4];
        for (quad, scores) in scores.iter_mut().enumerate().take(visible.div_ceil(4)) {
            let keys: [&[f32]; 4] = std::array::from_fn(|at| &self.keys[(quad * 4 + at) * head_dim..][..head_dim]);
            let products = dot_four(query, keys);
            for (at, score) in scores.iter_mut().enumerate() {
                if quad * 4 + at < visible {
                    *score = products[at] * scale;
                }
            }
        }
        let (largest_before, sum_before) = self.softmax[state];
        let mut largest = F32x4::splat(largest_before);
        for scores in &scores {
            largest = largest.larger(F32x4::load(scores));
        }
        let largest = largest.largest();
        let correction = if sum_before == 0.0 { 0.0 } else { (largest_before - largest).exp() };
        let mut weights = [[0.0; 4]; TILE / 4];
        let mut sum = F32x4::ZERO;
        for (quad, (weights, scores)) in weights.iter_mut().zip(&scores).enumerate().take(visible.div_ceil(4)) {
            *weights = (F32x4::load(scores) - F32x4::splat(largest)).exp().to_array();
            for (at, weight) in weights.iter_mut().enumerate() {
                if quad * 4 + at >= visible {
                    *weight = 0.0;
                }
            }
            sum = sum + F32x4::load(weights);
        }
        self.softmax[state] = (largest, sum_before * correction + sum.sum());

        let weights = &weights.as_flattened()[..visible];
        for (part, output) in output.chunks_exact_mut(4 * VECTORS).enumerate() {
            let (output, _) = output.as_chunks_mut::<4>();
            let mut sums: [F32x4; VECTORS] =
                std::array::from_fn(|at| F32x4::load(&output[at]) * F32x4::splat(correction));
            for (weight, value) in weights.iter().zip(self.values.chunks_exact(head_dim)) {
                let (value, _) = value[part * 4 * VECTORS..][..4 * VECTORS].as_chunks::<4>();
                let weight = F32x4::splat(*weight);
                for at in 0..VECTORS {
                    sums[at] = sums[at] + F32x4::load(&value[at]) * weight;
                }
            }
            for at in 0..VECTORS {
                output[at] = sums[at].to_array();
            }
        }
    }
}

/// The products of a query with four keys.
fn dot_four(query: &[f32], keys: [&[f32]; 4]) -> [f32; 4] {
    let (query, _) = query.as_chunks::<4>();
    let keys = keys.map(|key| &key.as_chunks::<4>().0[..query.len()]);
    let mut sums = [F32x4::ZERO; 4];
    for (at, query) in query.iter().enumerate() {
        let query = F32x4::load(query);
        for key in 0..4 {
            sums[key] = sums[key] + query * F32x4::load(&keys[key][at]);
        }
    }
    sums.map(F32x4::sum)
}
