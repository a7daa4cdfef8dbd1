//! Vectors as arrays.

use std::array::from_fn;
use std::ops::{Add, BitAnd, BitOr, Div, Mul, Sub};

/// Four floats.
#[derive(Debug, Clone, Copy)]
#[repr(align(16))]
pub struct F32x4([f32; 4]);

/// Four integers of 32 bits.
#[derive(Debug, Clone, Copy)]
#[repr(align(16))]
pub struct I32x4([i32; 4]);

/// Eight integers of 16 bits.
#[derive(Debug, Clone, Copy)]
#[repr(align(16))]
pub struct I16x8([i16; 8]);

/// Sixteen bytes.
#[derive(Debug, Clone, Copy)]
#[repr(align(16))]
pub struct U8x16([u8; 16]);

impl F32x4 {
    /// Four zeros.
    pub const ZERO: Self = Self([0.0; 4]);

    /// The same number four times.
    #[inline(always)]
    pub fn splat(value: f32) -> Self {
        Self([value; 4])
    }

    /// Four numbers from memory.
    #[inline(always)]
    pub fn load(values: &[f32; 4]) -> Self {
        Self(*values)
    }

    /// The four numbers.
    #[inline(always)]
    pub fn to_array(self) -> [f32; 4] {
        self.0
    }

    /// Four f16 numbers, exactly.
    #[inline(always)]
    pub fn from_halves(halves: &[u16; 4]) -> Self {
        // What the exponents of f32 and f16 are apart, as a factor: so subnormal numbers come out right, too.
        const EXPONENTS: f32 = f32::from_bits((127 + 112) << 23);
        Self(from_fn(|lane| {
            let half = u32::from(halves[lane]);
            let magnitude = f32::from_bits((half & 0x7fff) << 13) * EXPONENTS;
            let not_finite = if half & 0x7c00 == 0x7c00 { 0x7f80_0000 } else { 0 };
            f32::from_bits(magnitude.to_bits() | not_finite | (half & 0x8000) << 16)
        }))
    }

    /// Four numbers of which memory has the upper halves.
    #[inline(always)]
    pub fn from_upper_halves(halves: &[u16; 4]) -> Self {
        Self(from_fn(|lane| f32::from_bits(u32::from(halves[lane]) << 16)))
    }

    /// Four bytes as numbers.
    #[inline(always)]
    pub fn from_bytes(bytes: [u8; 4]) -> Self {
        Self(bytes.map(f32::from))
    }

    /// Four signed bytes as numbers.
    #[inline(always)]
    pub fn from_signed_bytes(bytes: [i8; 4]) -> Self {
        Self(bytes.map(f32::from))
    }

    /// The sum of all four.
    #[inline(always)]
    pub fn sum(self) -> f32 {
        let [a, b, c, d] = self.0;
        (a + c) + (b + d)
    }

    /// The largest of all four, none of which is not a number.
    #[inline(always)]
    pub fn largest(self) -> f32 {
        let [a, b, c, d] = self.0;
        a.max(c).max(b.max(d))
    }

    /// Each number, or `bound` where it is less; what is not a number stays.
    #[inline(always)]
    pub fn at_least(self, bound: f32) -> Self {
        Self(self.0.map(|x| if x < bound { bound } else { x }))
    }

    /// Each number, or `bound` where it is more; what is not a number stays.
    #[inline(always)]
    pub fn at_most(self, bound: f32) -> Self {
        Self(self.0.map(|x| if bound < x { bound } else { x }))
    }

    /// The larger of each two numbers.
    #[inline(always)]
    pub fn larger(self, other: Self) -> Self {
        Self(from_fn(|lane| if self.0[lane] < other.0[lane] { other.0[lane] } else { self.0[lane] }))
    }

    /// Each without its sign.
    #[inline(always)]
    pub fn magnitudes(self) -> Self {
        Self(self.0.map(f32::abs))
    }

    /// The nearest whole numbers, of two equally near ones the even one.
    #[inline(always)]
    pub fn nearest(self) -> Self {
        Self(self.0.map(f32::round_ties_even))
    }

    /// 2ⁿ for whole numbers from -126 to 127; anything for other numbers.
    #[inline(always)]
    pub fn power_of_two(self) -> Self {
        Self(self.0.map(|n| f32::from_bits((n as i32).wrapping_add(127).wrapping_shl(23) as u32)))
    }

    /// Whole numbers as integers; 0 for what is not a number.
    #[inline(always)]
    pub fn to_integers(self) -> I32x4 {
        I32x4(self.0.map(|x| x as i32))
    }
}

impl I32x4 {
    /// Four zeros.
    pub const ZERO: Self = Self([0; 4]);

    /// The nearest floats.
    #[inline(always)]
    pub fn to_floats(self) -> F32x4 {
        F32x4(self.0.map(|x| x as f32))
    }

    /// Both vectors' numbers in 16 bits, which they fit into.
    #[inline(always)]
    pub fn narrow(self, other: Self) -> I16x8 {
        I16x8(from_fn(|lane| if lane < 4 { self.0[lane] } else { other.0[lane - 4] } as i16))
    }

    /// The four numbers.
    #[inline(always)]
    pub fn to_array(self) -> [i32; 4] {
        self.0
    }
}

impl I16x8 {
    /// The same number eight times.
    #[inline(always)]
    pub fn splat(value: i16) -> Self {
        Self([value; 8])
    }

    /// Eight numbers from memory.
    #[inline(always)]
    pub fn load(values: &[i16; 8]) -> Self {
        Self(*values)
    }

    /// The eight numbers.
    #[inline(always)]
    pub fn to_array(self) -> [i16; 8] {
        self.0
    }

    /// Eight numbers of 8 bits from memory.
    #[inline(always)]
    pub fn widen(values: &[i8; 8]) -> Self {
        Self(values.map(i16::from))
    }

    /// Each shifted to the right, zeros coming in.
    #[inline(always)]
    pub fn shift_right(self, bits: u32) -> Self {
        Self(self.0.map(|x| (x as u16 >> bits) as i16))
    }

    /// Each shifted to the left.
    #[inline(always)]
    pub fn shift_left(self, bits: u32) -> Self {
        Self(self.0.map(|x| x << bits))
    }

    /// The sums of the products of each two neighbours: 2 · 2¹⁵ · 2¹⁵ is the only one that doesn't fit.
    #[inline(always)]
    pub fn dot(self, other: Self) -> I32x4 {
        I32x4(from_fn(|lane| {
            let product = |at: usize| i32::from(self.0[at]) * i32::from(other.0[at]);
            product(2 * lane).wrapping_add(product(2 * lane + 1))
        }))
    }
}

impl U8x16 {
    /// The same byte sixteen times.
    #[inline(always)]
    pub fn splat(value: u8) -> Self {
        Self([value; 16])
    }

    /// Sixteen bytes from memory.
    #[inline(always)]
    pub fn load(bytes: &[u8; 16]) -> Self {
        Self(*bytes)
    }

    /// Of each bit, the lowest first, a byte: all ones or all zeros.
    #[inline(always)]
    pub fn from_bits(bits: u16) -> Self {
        Self(from_fn(|lane| if bits >> lane & 1 == 1 { u8::MAX } else { 0 }))
    }

    /// The sixteen bytes.
    #[inline(always)]
    pub fn to_array(self) -> [u8; 16] {
        self.0
    }

    /// Each shifted to the right, zeros coming in.
    #[inline(always)]
    pub fn shift_right(self, bits: u32) -> Self {
        Self(self.0.map(|x| x >> bits))
    }

    /// Each shifted to the left.
    #[inline(always)]
    pub fn shift_left(self, bits: u32) -> Self {
        Self(self.0.map(|x| x << bits))
    }
}

macro_rules! lane_by_lane {
    ($($vector:ident: $trait:ident $function:ident $operation:expr;)*) => {$(
        impl $trait for $vector {
            type Output = Self;

            #[inline(always)]
            fn $function(self, other: Self) -> Self {
                Self(from_fn(|lane| $operation(self.0[lane], other.0[lane])))
            }
        }
    )*};
}

lane_by_lane! {
    F32x4: Add add |a: f32, b| a + b;
    F32x4: Sub sub |a: f32, b| a - b;
    F32x4: Mul mul |a: f32, b| a * b;
    F32x4: Div div |a: f32, b| a / b;
    I32x4: Add add i32::wrapping_add;
    I16x8: Sub sub i16::wrapping_sub;
    I16x8: Mul mul i16::wrapping_mul;
    I16x8: BitAnd bitand |a: i16, b| a & b;
    I16x8: BitOr bitor |a: i16, b| a | b;
    U8x16: Sub sub u8::wrapping_sub;
    U8x16: BitAnd bitand |a: u8, b| a & b;
    U8x16: BitOr bitor |a: u8, b| a | b;
}
