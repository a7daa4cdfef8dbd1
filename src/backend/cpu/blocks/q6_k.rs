//! Q6_K: 256 weights, 16 to a scale, which become bytes.

use std::array::from_fn;

use bytemuck::{Pod, Zeroable};

use super::super::lanes::I16x8;
use super::{Block, SLICE, half_at};
use crate::gguf::TensorType;

/// 256 weights: `scale · scales[of 16 weights] · quant`.
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub struct Q6K {
    scale: f32,
    scales: [i8; 16],
    quants: [[i8; SLICE]; 32],
}

impl Block for Q6K {
    const GROUPS: usize = 8;
    const HAS_OFFSETS: bool = false;
    const LARGEST_QUANT: i32 = 32 * 128;

    fn from_file(_: TensorType, bytes: &[u8]) -> Self {
        let (nibbles, pairs) = (&bytes[..128], &bytes[128..192]);
        // Each half of the weights is in four quarters of 32: the first two have the lower nibbles of 64 bytes, the others
        // the upper ones; 32 bytes have two more bits of all four.
        let quant = |at: usize| {
            let (half, quarter, place) = (at / 128, at / 32 % 4, at % 32);
            let low = nibbles[half * 64 + quarter % 2 * 32 + place] >> (quarter / 2 * 4) & 15;
            let high = pairs[half * 32 + place] >> (quarter * 2) & 3;
            (low | high << 4) as i8 - 32
        };
        Self {
            scale: half_at(bytes, 208),
            scales: from_fn(|at| bytes[192 + at] as i8),
            quants: from_fn(|slice| from_fn(|at| quant(slice * SLICE + at))),
        }
    }

    #[inline(always)]
    fn scale(&self) -> f32 {
        self.scale
    }

    #[inline(always)]
    fn quants(&self, group: usize, slice: usize) -> I16x8 {
        let scale = self.scales[group * 2 + slice / 2];
        I16x8::widen(&self.quants[group * 4 + slice]) * I16x8::splat(scale.into())
    }
}
