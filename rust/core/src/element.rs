//! The element types. To add one: its impls here.

use crate::format::Format;
use fearless_simd::{prelude::*, Simd};

/// A type whose numbers have an exact sum.
pub trait Element: Copy {
    /// The format of the mean.
    type Mean: Format;
    /// The exact sum: little-endian 32-bit digits, one in each i64. Wide enough for 2^63 - 1
    /// elements: 63 bits more than the largest magnitude in units, and a sign.
    type Digits: AsRef<[i64]> + AsMut<[i64]> + Clone;
    /// The digits of zero.
    const ZERO: Self::Digits;
    /// Exponent of the unit: every finite element is an integer times `2^UNIT`.
    const UNIT: i32;

    /// A finite element as (m, shift): m * 2^shift units, with |m| < 2^53.
    fn units(self) -> (i64, u32);
}

/// A floating-point element that float64 lanes hold exactly.
pub trait Float: Element<Mean = Self> + Format {
    /// Whether one window of the kernel usually proves the mean: the result is so much narrower
    /// than the lanes that what a single window drops does not show.
    const ONE_WINDOW: bool;

    /// Four vectors of consecutive elements, widened: `data` has as many as they have lanes.
    fn load<S: Simd>(simd: S, data: &[Self]) -> [S::f64s; 4];
}

impl Format for f32 {
    const BITS: u32 = 32;
    const PRECISION: u32 = 24;

    #[inline(always)]
    fn to_bits(self) -> u64 {
        self.to_bits().into()
    }
    #[inline(always)]
    fn from_bits(bits: u64) -> Self {
        Self::from_bits(bits as u32)
    }
}

impl Element for f32 {
    type Mean = Self;
    type Digits = [i64; 11]; // 277 bits of magnitude + 63 + sign <= 352
    const ZERO: Self::Digits = [0; 11];
    const UNIT: i32 = Self::MIN_EXPONENT;

    #[inline(always)]
    fn units(self) -> (i64, u32) {
        self.decode()
    }
}

impl Float for f32 {
    const ONE_WINDOW: bool = true;

    #[inline(always)]
    fn load<S: Simd>(simd: S, data: &[Self]) -> [S::f64s; 4] {
        let (left, right) = data.split_at(S::f32s::LEN);
        let (a, b) = S::f32s::from_slice(simd, left).widen();
        let (c, d) = S::f32s::from_slice(simd, right).widen();
        [a, b, c, d]
    }
}

impl Format for f64 {
    const BITS: u32 = 64;
    const PRECISION: u32 = 53;

    #[inline(always)]
    fn to_bits(self) -> u64 {
        self.to_bits()
    }
    #[inline(always)]
    fn from_bits(bits: u64) -> Self {
        Self::from_bits(bits)
    }
}

impl Element for f64 {
    type Mean = Self;
    type Digits = [i64; 68]; // 2098 bits of magnitude + 63 + sign <= 2176
    const ZERO: Self::Digits = [0; 68];
    const UNIT: i32 = Self::MIN_EXPONENT;

    #[inline(always)]
    fn units(self) -> (i64, u32) {
        self.decode()
    }
}

impl Float for f64 {
    const ONE_WINDOW: bool = false;

    #[inline(always)]
    fn load<S: Simd>(simd: S, data: &[Self]) -> [S::f64s; 4] {
        let len = S::f64s::LEN;
        let data = &data[..4 * len];
        [
            S::f64s::from_slice(simd, &data[..len]),
            S::f64s::from_slice(simd, &data[len..2 * len]),
            S::f64s::from_slice(simd, &data[2 * len..3 * len]),
            S::f64s::from_slice(simd, &data[3 * len..]),
        ]
    }
}
