//! Q6_K: 256 weights, 16 to a scale, which become bytes.

use std::array::from_fn;

use bytemuck::{Pod, Zeroable};

use super::super::lanes::{I16x8, U8x16};
use super::{Block, SLICE, append_each, half_at, sixteen_at};
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

    fn append(_: TensorType, bytes: &[u8], blocks: &mut Vec<Self>) {
        append_each(bytes, blocks, |bytes: &[u8; 210]| {
            // Each half of the weights is in four quarters of 32: the first two have the lower nibbles of 64 bytes, the others
            // the upper ones; 32 bytes have two more bits of all four.
            let quants: [[u8; 16]; 16] = from_fn(|sixteen| {
                let (half, quarter, place) = (sixteen / 8, sixteen / 2 % 4, sixteen % 2 * 16);
                let nibbles = sixteen_at(bytes, half * 64 + quarter % 2 * 32 + place);
                let low = if quarter < 2 { nibbles & U8x16::splat(15) } else { nibbles.shift_right(4) };
                let high = sixteen_at(bytes, 128 + half * 32 + place).shift_right(quarter as u32 * 2) & U8x16::splat(3);
                ((low | high.shift_left(4)) - U8x16::splat(32)).to_array()
            });
            Self {
                scale: half_at(bytes, 208),
                scales: bytemuck::cast(sixteen_at(bytes, 192).to_array()),
                quants: bytemuck::cast(quants),
            }
        });
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
