//! The product of a matrix with some rows of activations: Σ weight · x, what nearly all the time goes into.
//!
//! For one row, weights are read once, block by block, and what is decoded of them is multiplied at once. For several, two
//! rows of the matrix are decoded into 16-bit integers first, and multiplied with all rows of activations, two by two, so
//! that each number that is loaded is used twice. Both sum integers as long as a scale holds, then floats.

use super::super::blocks::{Block, GROUP, Group, SLICE};
use super::super::lanes::{F32x4, I16x8, I32x4};
use super::super::matrix::{Matrix, Weights};
use super::super::quantized::{Quantized, QuantizedRow};
use super::multiply_floats::multiply_floats;

/// Rows of a matrix that are multiplied with several rows of activations at once.
const ROWS: usize = 2;

/// Rows of activations that they are multiplied with at once.
const INPUT_ROWS: usize = 4;

/// What a matrix is multiplied with: rows of activations, in both forms. `quantized` is read by matrices of quants only.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// `[rows, columns]`.
    pub floats: &'a [f32],
    /// The same rows.
    pub quantized: &'a Quantized,
}

/// Where products go.
#[derive(Debug)]
pub struct Output<'a> {
    /// `[rows, columns]`.
    pub values: &'a mut [f32],
    /// How many columns a row has.
    pub columns: usize,
    /// The column of the matrix's first row.
    pub offset: usize,
    /// What is added to the product of each row of the matrix.
    pub bias: Option<&'a [f32]>,
    /// Whether products are added to what is there.
    pub adds: bool,
}

impl<'a> Output<'a> {
    /// All of `values`, of rows as wide as the matrix has rows.
    pub fn all(values: &'a mut [f32], columns: usize) -> Self {
        Self { values, columns, offset: 0, bias: None, adds: false }
    }

    /// Takes the product of a row of the matrix with a row of activations.
    #[inline]
    pub(super) fn put(&mut self, input_row: usize, row: usize, product: f32) {
        let value = &mut self.values[input_row * self.columns + self.offset + row];
        let product = product + self.bias.map_or(0.0, |bias| bias[row]);
        *value = if self.adds { *value + product } else { product };
    }
}

/// Memory that products for several rows of activations need. It is kept from one to the next.
#[derive(Debug, Default)]
pub struct Scratch {
    groups: [Vec<Group>; ROWS],
    scales: [Vec<f32>; ROWS],
    offsets: [Vec<f32>; ROWS],
    pub(super) floats: Vec<f32>,
}

/// Multiplies `matrix` with `rows` rows of `input`.
pub fn multiply(matrix: &Matrix, input: Input<'_>, rows: usize, output: &mut Output<'_>, scratch: &mut Scratch) {
    match &matrix.weights {
        Weights::F32(_) | Weights::F16(_) | Weights::Bf16(_) | Weights::File(_) => {
            multiply_floats(matrix, input.floats, rows, output, scratch);
        }
        Weights::Bytes(blocks) => multiply_blocks(blocks, matrix.rows, input.quantized, rows, output, scratch),
        Weights::BytesWithOffset(blocks) => {
            multiply_blocks(blocks, matrix.rows, input.quantized, rows, output, scratch);
        }
        Weights::Q4K(blocks) => multiply_blocks(blocks, matrix.rows, input.quantized, rows, output, scratch),
        Weights::Q5K(blocks) => multiply_blocks(blocks, matrix.rows, input.quantized, rows, output, scratch),
        Weights::Q6K(blocks) => multiply_blocks(blocks, matrix.rows, input.quantized, rows, output, scratch),
    }
}

fn multiply_blocks<B: Block>(
    blocks: &[B],
    matrix_rows: usize,
    input: &Quantized,
    rows: usize,
    output: &mut Output<'_>,
    scratch: &mut Scratch,
) {
    let row_blocks = blocks.len() / matrix_rows;
    if rows == 1 {
        multiply_one(blocks, row_blocks, input.row(0), output);
    } else {
        multiply_several(blocks, row_blocks, input, rows, output, scratch);
    }
}

/// The products of all rows with one row of activations. Rows are read one after the other: two at once would be two
/// streams of memory that end soon, which the processor doesn't fetch ahead.
fn multiply_one<B: Block>(blocks: &[B], row_blocks: usize, input: QuantizedRow<'_>, output: &mut Output<'_>) {
    for (row, blocks) in blocks.chunks_exact(row_blocks).enumerate() {
        let mut sums = F32x4::ZERO;
        for (index, (block, groups)) in blocks.iter().zip(input.groups.chunks_exact(B::GROUPS)).enumerate() {
            let mut products = I32x4::ZERO;
            for (group, slices) in groups.iter().enumerate() {
                for (slice, quants) in slices.iter().enumerate() {
                    products = products + block.quants(group, slice).dot(I16x8::load(quants));
                }
            }
            sums = sums + products.to_floats() * F32x4::splat(block.scale());
            if B::HAS_OFFSETS {
                sums = sums + block.offset_products(&input.sums[index * B::GROUPS..]);
            }
        }
        output.put(0, row, sums.sum() * input.scale);
    }
}

/// The products of all rows with several rows of activations.
fn multiply_several<B: Block>(
    blocks: &[B],
    row_blocks: usize,
    input: &Quantized,
    rows: usize,
    output: &mut Output<'_>,
    scratch: &mut Scratch,
) {
    for (tile, blocks) in blocks.chunks(ROWS * row_blocks).enumerate() {
        let row = tile * ROWS;
        for (at, blocks) in blocks.chunks_exact(row_blocks).enumerate() {
            scratch.decode(at, blocks);
        }
        let tile_rows = blocks.len() / row_blocks;
        for first in (0..rows).step_by(INPUT_ROWS) {
            // Where there are fewer rows than a tile has, the last one of the input is taken more than once, and rows of
            // the matrix are left from the tile before; what comes of it is not looked at.
            let inputs: [QuantizedRow<'_>; INPUT_ROWS] =
                std::array::from_fn(|at| input.row((first + at).min(rows - 1)));
            let products = match B::GROUPS {
                1 => scratch.products::<1>(inputs),
                _ => scratch.products::<8>(inputs),
            };
            for (at, products) in products.into_iter().enumerate().take(tile_rows) {
                for (input_row, product) in (first..rows).zip(products) {
                    let offsets = if B::HAS_OFFSETS { scratch.offset_products(at, input.row(input_row)) } else { 0.0 };
                    output.put(input_row, row + at, (product + offsets) * input.row(input_row).scale);
                }
            }
        }
    }
}

impl Scratch {
    /// Decodes a row of a matrix as the first or the second of two.
    fn decode<B: Block>(&mut self, at: usize, blocks: &[B]) {
        let (groups, scales, offsets) = (&mut self.groups[at], &mut self.scales[at], &mut self.offsets[at]);
        groups.clear();
        scales.clear();
        offsets.clear();
        for block in blocks {
            scales.push(block.scale());
            for group in 0..B::GROUPS {
                groups.push(std::array::from_fn(|slice| block.quants(group, slice).to_array()));
                if B::HAS_OFFSETS {
                    offsets.push(block.offset(group));
                }
            }
        }
    }

    /// The products of the decoded rows with some rows of activations, but for the latter's scales; a scale of weights holds
    /// for so many groups.
    #[inline]
    #[expect(clippy::needless_range_loop, reason = "what is indexed are several rows at once")]
    fn products<const GROUPS: usize>(&self, inputs: [QuantizedRow<'_>; INPUT_ROWS]) -> [[f32; INPUT_ROWS]; ROWS] {
        let inputs = inputs.map(|input| input.groups);
        let groups = inputs[0].len();
        let weights: [&[Group]; ROWS] = std::array::from_fn(|row| &self.groups[row][..groups]);
        let scales: [&[f32]; ROWS] = std::array::from_fn(|row| &self.scales[row][..groups / GROUPS]);
        let inputs = inputs.map(|input| &input[..groups]);
        let mut sums = [[F32x4::ZERO; INPUT_ROWS]; ROWS];
        for block in 0..groups / GROUPS {
            let mut products = [[I32x4::ZERO; INPUT_ROWS]; ROWS];
            for group in block * GROUPS..(block + 1) * GROUPS {
                for slice in 0..GROUP / SLICE {
                    let inputs = inputs.map(|input| I16x8::load(&input[group][slice]));
                    for row in 0..ROWS {
                        let weights = I16x8::load(&weights[row][group][slice]);
                        for at in 0..INPUT_ROWS {
                            products[row][at] = products[row][at] + weights.dot(inputs[at]);
                        }
                    }
                }
            }
            for row in 0..ROWS {
                let scale = F32x4::splat(scales[row][block]);
                for at in 0..INPUT_ROWS {
                    sums[row][at] = sums[row][at] + products[row][at].to_floats() * scale;
                }
            }
        }
        sums.map(|sums| sums.map(F32x4::sum))
    }

    /// Σ offset · Σ x, but for the scale of x.
    fn offset_products(&self, at: usize, input: QuantizedRow<'_>) -> f32 {
        let (offsets, offset_rest) = self.offsets[at].as_chunks::<4>();
        let (sums, sum_rest) = input.sums.as_chunks::<4>();
        let products = offsets.iter().zip(sums).map(|(offsets, sums)| F32x4::load(offsets) * F32x4::load(sums));
        let rest: f32 = offset_rest.iter().zip(sum_rest).map(|(offset, sum)| offset * sum).sum();
        products.fold(F32x4::ZERO, |sum, products| sum + products).sum() + rest
    }
}
