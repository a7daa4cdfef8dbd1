//! Vectors of WebAssembly.

use core::arch::wasm32::*;
use std::ops::{Add, BitAnd, BitOr, Div, Mul, Sub};

/// Four floats.
#[derive(Debug, Clone, Copy)]
pub struct F32x4(v128);

/// Four integers of 32 bits.
#[derive(Debug, Clone, Copy)]
pub struct I32x4(v128);

/// Eight integers of 16 bits.
#[derive(Debug, Clone, Copy)]
pub struct I16x8(v128);

/// Sixteen bytes.
#[derive(Debug, Clone, Copy)]
pub struct U8x16(v128);

impl F32x4 {
    /// Four zeros.
    pub const ZERO: Self = Self(f32x4(0.0, 0.0, 0.0, 0.0));

    /// The same number four times.
    #[inline(always)]
    pub fn splat(value: f32) -> Self {
        Self(f32x4_splat(value))
    }

    /// Four numbers from memory.
    #[inline(always)]
    pub fn load(values: &[f32; 4]) -> Self {
        Self(bytemuck::cast(*values))
    }

    /// The four numbers.
    #[inline(always)]
    pub fn to_array(self) -> [f32; 4] {
        bytemuck::cast(self.0)
    }

    /// Four f16 numbers, exactly.
    #[inline(always)]
    pub fn from_halves(halves: &[u16; 4]) -> Self {
        // What the exponents of f32 and f16 are apart, as a factor: so subnormal numbers come out right, too.
        const EXPONENTS: f32 = f32::from_bits((127 + 112) << 23);
        let halves = u32x4_extend_low_u16x8(u64x2(bytemuck::cast(*halves), 0));
        let magnitudes = u32x4_shl(v128_and(halves, u32x4_splat(0x7fff)), 13);
        let signs = u32x4_shl(v128_and(halves, u32x4_splat(0x8000)), 16);
        let not_finite = v128_and(u32x4_ge(magnitudes, u32x4_splat(0x7c00 << 13)), u32x4_splat(0x7f80_0000));
        Self(v128_or(v128_or(f32x4_mul(magnitudes, f32x4_splat(EXPONENTS)), not_finite), signs))
    }

    /// Four numbers of which memory has the upper halves.
    #[inline(always)]
    pub fn from_upper_halves(halves: &[u16; 4]) -> Self {
        Self(u32x4_shl(u32x4_extend_low_u16x8(u64x2(bytemuck::cast(*halves), 0)), 16))
    }

    /// Four bytes as numbers.
    #[inline(always)]
    pub fn from_bytes(bytes: [u8; 4]) -> Self {
        let pairs = u16x8_extend_low_u8x16(u32x4(bytemuck::cast(bytes), 0, 0, 0));
        Self(f32x4_convert_u32x4(u32x4_extend_low_u16x8(pairs)))
    }

    /// Four signed bytes as numbers.
    #[inline(always)]
    pub fn from_signed_bytes(bytes: [i8; 4]) -> Self {
        let pairs = i16x8_extend_low_i8x16(u32x4(bytemuck::cast(bytes), 0, 0, 0));
        Self(f32x4_convert_i32x4(i32x4_extend_low_i16x8(pairs)))
    }

    /// The sum of all four.
    #[inline(always)]
    pub fn sum(self) -> f32 {
        let pairs = f32x4_add(self.0, i32x4_shuffle::<2, 3, 0, 1>(self.0, self.0));
        f32x4_extract_lane::<0>(pairs) + f32x4_extract_lane::<1>(pairs)
    }

    /// The largest of all four, none of which is not a number.
    #[inline(always)]
    pub fn largest(self) -> f32 {
        let pairs = f32x4_pmax(self.0, i32x4_shuffle::<2, 3, 0, 1>(self.0, self.0));
        f32x4_extract_lane::<0>(pairs).max(f32x4_extract_lane::<1>(pairs))
    }

    /// Each number, or `bound` where it is less; what is not a number stays.
    #[inline(always)]
    pub fn at_least(self, bound: f32) -> Self {
        Self(f32x4_pmax(self.0, f32x4_splat(bound)))
    }

    /// Each number, or `bound` where it is more; what is not a number stays.
    #[inline(always)]
    pub fn at_most(self, bound: f32) -> Self {
        Self(f32x4_pmin(self.0, f32x4_splat(bound)))
    }

    /// The larger of each two numbers.
    #[inline(always)]
    pub fn larger(self, other: Self) -> Self {
        Self(f32x4_pmax(self.0, other.0))
    }

    /// Each without its sign.
    #[inline(always)]
    pub fn magnitudes(self) -> Self {
        Self(f32x4_abs(self.0))
    }

    /// The nearest whole numbers, of two equally near ones the even one.
    #[inline(always)]
    pub fn nearest(self) -> Self {
        Self(f32x4_nearest(self.0))
    }

    /// 2ⁿ for whole numbers from -126 to 127; anything for other numbers.
    #[inline(always)]
    pub fn power_of_two(self) -> Self {
        Self(i32x4_shl(i32x4_add(self.to_integers().0, i32x4_splat(127)), 23))
    }

    /// Whole numbers as integers; 0 for what is not a number.
    #[inline(always)]
    pub fn to_integers(self) -> I32x4 {
        I32x4(i32x4_trunc_sat_f32x4(self.0))
    }
}

impl I32x4 {
    /// Four zeros.
    pub const ZERO: Self = Self(i32x4(0, 0, 0, 0));

    /// The nearest floats.
    #[inline(always)]
    pub fn to_floats(self) -> F32x4 {
        F32x4(f32x4_convert_i32x4(self.0))
    }

    /// Both vectors' numbers in 16 bits, which they fit into.
    #[inline(always)]
    pub fn narrow(self, other: Self) -> I16x8 {
        I16x8(i16x8_narrow_i32x4(self.0, other.0))
    }

    /// The four numbers.
    #[inline(always)]
    pub fn to_array(self) -> [i32; 4] {
        bytemuck::cast(self.0)
    }
}

impl I16x8 {
    /// The same number eight times.
    #[inline(always)]
    pub fn splat(value: i16) -> Self {
        Self(i16x8_splat(value))
    }

    /// Eight numbers from memory.
    #[inline(always)]
    pub fn load(values: &[i16; 8]) -> Self {
        Self(bytemuck::cast(*values))
    }

    /// The eight numbers.
    #[inline(always)]
    pub fn to_array(self) -> [i16; 8] {
        bytemuck::cast(self.0)
    }

    /// Eight numbers of 8 bits from memory.
    #[inline(always)]
    pub fn widen(values: &[i8; 8]) -> Self {
        Self(i16x8_extend_low_i8x16(i64x2(bytemuck::cast(*values), 0)))
    }

    /// Each shifted to the right, zeros coming in.
    #[inline(always)]
    pub fn shift_right(self, bits: u32) -> Self {
        Self(u16x8_shr(self.0, bits))
    }

    /// Each shifted to the left.
    #[inline(always)]
    pub fn shift_left(self, bits: u32) -> Self {
        Self(i16x8_shl(self.0, bits))
    }

    /// The sums of the products of each two neighbours: 2 · 2¹⁵ · 2¹⁵ is the only one that doesn't fit.
    #[inline(always)]
    pub fn dot(self, other: Self) -> I32x4 {
        I32x4(i32x4_dot_i16x8(self.0, other.0))
    }
}

impl U8x16 {
    /// The same byte sixteen times.
    #[inline(always)]
    pub fn splat(value: u8) -> Self {
        Self(u8x16_splat(value))
    }

    /// Sixteen bytes from memory.
    #[inline(always)]
    pub fn load(bytes: &[u8; 16]) -> Self {
        Self(bytemuck::cast(*bytes))
    }

    /// Of each bit, the lowest first, a byte: all ones or all zeros.
    #[inline(always)]
    pub fn from_bits(bits: u16) -> Self {
        const BITS: v128 = u64x2(0x8040_2010_0804_0201, 0x8040_2010_0804_0201);
        let bytes = u16x8_splat(bits);
        let bytes = i8x16_shuffle::<0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1>(bytes, bytes);
        Self(u8x16_eq(v128_and(bytes, BITS), BITS))
    }

    /// The sixteen bytes.
    #[inline(always)]
    pub fn to_array(self) -> [u8; 16] {
        bytemuck::cast(self.0)
    }

    /// Each shifted to the right, zeros coming in.
    #[inline(always)]
    pub fn shift_right(self, bits: u32) -> Self {
        Self(u8x16_shr(self.0, bits))
    }

    /// Each shifted to the left.
    #[inline(always)]
    pub fn shift_left(self, bits: u32) -> Self {
        Self(u8x16_shl(self.0, bits))
    }
}

macro_rules! lane_by_lane {
    ($($vector:ident: $trait:ident $function:ident $instruction:ident;)*) => {$(
        impl $trait for $vector {
            type Output = Self;

            #[inline(always)]
            fn $function(self, other: Self) -> Self {
                Self($instruction(self.0, other.0))
            }
        }
    )*};
}

lane_by_lane! {
    F32x4: Add add f32x4_add;
    F32x4: Sub sub f32x4_sub;
    F32x4: Mul mul f32x4_mul;
    F32x4: Div div f32x4_div;
    I32x4: Add add i32x4_add;
    I16x8: Sub sub i16x8_sub;
    I16x8: Mul mul i16x8_mul;
    I16x8: BitAnd bitand v128_and;
    I16x8: BitOr bitor v128_or;
    U8x16: Sub sub u8x16_sub;
    U8x16: BitAnd bitand v128_and;
    U8x16: BitOr bitor v128_or;
}
