//! Activations as integers: what quants of weights are multiplied with.

use super::blocks::{GROUP, Group, SLICE};
use super::lanes::F32x4;

/// The largest quant. A product is one of 16-bit integers in any case, so activations get as many of these bits as sums of
/// the products have room for in 32: 14 with their sign, not 8.
pub const LARGEST: i32 = 8191;

/// Less than this is taken for zero: what its quants would be multiplied with could be infinite.
const TINY: f32 = 1e-30;

/// Rows of activations, quantised: x ≈ scale · quant, with a scale for each row.
#[derive(Debug, Default)]
pub struct Quantized {
    /// `[rows, columns / 32]`.
    groups: Vec<Group>,
    /// The sum of the quants of each group.
    sums: Vec<f32>,
    scales: Vec<f32>,
    groups_per_row: usize,
}

/// One row.
#[derive(Debug, Clone, Copy)]
pub struct QuantizedRow<'a> {
    /// The quants.
    pub groups: &'a [Group],
    /// The sum of the quants of each group.
    pub sums: &'a [f32],
    /// What quants are multiplied with.
    pub scale: f32,
}

impl Quantized {
    /// Takes the rows of `values` in place of what there was; `columns` is a multiple of 32. A row that has a number that
    /// isn't finite gets a scale that isn't, so every product with it shows that.
    pub fn fill(&mut self, values: &[f32], columns: usize) {
        self.groups_per_row = columns / GROUP;
        self.groups.clear();
        self.sums.clear();
        self.scales.clear();
        for row in values.chunks_exact(columns) {
            let (quads, _) = row.as_chunks::<4>();
            let (mut largest, mut poison) = (F32x4::ZERO, F32x4::ZERO);
            for quad in quads {
                let x = F32x4::load(quad);
                largest = largest.larger(x.magnitudes());
                poison = poison + x * F32x4::ZERO;
            }
            let largest = largest.largest() + poison.sum();
            let to_quants = if largest < TINY { 0.0 } else { LARGEST as f32 / largest };
            self.scales.push(largest / LARGEST as f32);
            let to_quants = F32x4::splat(to_quants);
            for group in quads.chunks_exact(GROUP / 4) {
                let mut quants = Group::default();
                let mut sum = F32x4::ZERO;
                for (slice, pair) in quants.iter_mut().zip(group.chunks_exact(SLICE / 4)) {
                    let low = (F32x4::load(&pair[0]) * to_quants).nearest();
                    let high = (F32x4::load(&pair[1]) * to_quants).nearest();
                    sum = sum + low + high;
                    *slice = low.to_integers().narrow(high.to_integers()).to_array();
                }
                self.groups.push(quants);
                self.sums.push(sum.sum());
            }
        }
    }

    /// Row `row`.
    pub fn row(&self, row: usize) -> QuantizedRow<'_> {
        let range = row * self.groups_per_row..(row + 1) * self.groups_per_row;
        QuantizedRow { groups: &self.groups[range.clone()], sums: &self.sums[range], scale: self.scales[row] }
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.scales.len()
    }
}
