//! How weights lie in memory: a block of each kind as its file has it, repacked for products with vectors.
//!
//! A weight is scale · quant + offset, with one scale for a block. Where a file's block has more scales, they are integers
//! times one of 16 bits; they become part of the quants, which fit into 16 bits then. Nothing is lost: decoded again,
//! a weight is what the file says.

mod bytes;
mod bytes_with_offset;
mod q4_k;
mod q5_k;
mod q6_k;

use bytemuck::Pod;

pub use bytes::Bytes;
pub use bytes_with_offset::BytesWithOffset;
pub use q4_k::Q4K;
pub use q5_k::Q5K;
pub use q6_k::Q6K;

use super::lanes::{F32x4, I16x8, U8x16};
use crate::gguf::TensorType;

/// Weights in groups: what has a scale of its own in most types.
pub const GROUP: usize = 32;

/// Weights that are multiplied at once.
pub const SLICE: usize = 8;

/// 32 quants, in slices.
pub type Group = [[i16; SLICE]; GROUP / SLICE];

/// Some consecutive weights of a row, which share a scale.
pub trait Block: Pod {
    /// How many groups it has.
    const GROUPS: usize;

    /// Whether weights have offsets, which are other than zero only then.
    const HAS_OFFSETS: bool;

    /// The largest magnitude that a quant of [`quants`](Self::quants) can have.
    const LARGEST_QUANT: i32;

    /// Appends blocks that are as in the file. There is room for them in `blocks`.
    fn append(tensor_type: TensorType, bytes: &[u8], blocks: &mut Vec<Self>);

    /// What quants are multiplied with.
    fn scale(&self) -> f32;

    /// The quants of the slice `slice` of group `group`.
    fn quants(&self, group: usize, slice: usize) -> I16x8;

    /// What is added to each weight of a group.
    fn offset(&self, _group: usize) -> f32 {
        0.0
    }

    /// Numbers whose sum is `Σ offset(group) · sums[group]`.
    fn offset_products(&self, _sums: &[f32]) -> F32x4 {
        F32x4::ZERO
    }
}

/// Appends what `from_file` makes of each block of so many bytes.
#[inline(always)]
fn append_each<B, const BYTES: usize>(bytes: &[u8], blocks: &mut Vec<B>, from_file: impl Fn(&[u8; BYTES]) -> B) {
    let (in_file, _) = bytes.as_chunks();
    blocks.extend(in_file.iter().map(from_file));
}

/// The f16 number at `offset`, which every f32 can be.
#[inline(always)]
fn half_at(bytes: &[u8], offset: usize) -> f32 {
    let [number, ..] = F32x4::from_halves(&[u16::from_le_bytes([bytes[offset], bytes[offset + 1]]); 4]).to_array();
    number
}

/// 16 bytes from `offset` on.
#[inline(always)]
fn sixteen_at(bytes: &[u8], offset: usize) -> U8x16 {
    U8x16::load(&bytes[offset..].as_chunks().0[0])
}

/// The 6-bit scales and minima of Q4_K and Q5_K: the lower four groups' in the lower bits of 8 bytes; those of the upper
/// four have their lower 4 bits in 4 more bytes, and their upper 2 in the upper bits of the 8.
fn scales_and_minima(packed: &[u8]) -> ([u8; 8], [u8; 8]) {
    let (mut scales, mut minima) = ([0; 8], [0; 8]);
    for group in 0..4 {
        let (scale, minimum, low) = (packed[group], packed[4 + group], packed[8 + group]);
        (scales[group], minima[group]) = (scale & 63, minimum & 63);
        scales[4 + group] = low & 15 | scale >> 6 << 4;
        minima[4 + group] = low >> 4 | minimum >> 6 << 4;
    }
    (scales, minima)
}

/// Numbers whose sum is that of the products of 8 minima with the sums of what they are subtracted from.
#[inline(always)]
fn minimum_products(minima: &[u8; 8], sums: &[f32]) -> F32x4 {
    let [low, high]: [[u8; 4]; 2] = bytemuck::cast(*minima);
    let (sums, _) = sums.as_chunks::<4>();
    F32x4::from_bytes(low) * F32x4::load(&sums[0]) + F32x4::from_bytes(high) * F32x4::load(&sums[1])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_of_a_block_fit_into_32_bits() {
        /// A lane sums two products of each slice.
        fn largest_sum<B: Block>() -> i64 {
            let products = (2 * B::GROUPS * GROUP / SLICE) as i64;
            products * i64::from(B::LARGEST_QUANT) * i64::from(crate::backend::cpu::quantized::LARGEST)
        }
        let sums =
            [largest_sum::<Bytes>(), largest_sum::<BytesWithOffset>(), largest_sum::<Q4K>(), largest_sum::<Q5K>()];
        for sum in sums.into_iter().chain([largest_sum::<Q6K>()]) {
            assert!(sum <= i64::from(i32::MAX), "{sum}");
        }
    }
}
