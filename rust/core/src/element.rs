//! The element types. To add one: one impl here.

use crate::format::Format;

/// What one element is, in integers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    /// ± `significand` * 2^`shift` of the element's units.
    Finite {
        /// Whether it counts negatively.
        negative: bool,
        /// Less than 2^64.
        significand: u64,
        /// At most the number of digit bits less 96 (see [`Element::Digits`]).
        shift: u32,
    },
    /// An infinity.
    Infinite {
        /// Whether it is -inf.
        negative: bool,
    },
    /// Any NaN.
    NaN,
}

/// A type whose numbers can be averaged.
pub trait Element: Copy {
    /// The format of the mean.
    type Mean: Format;
    /// The exact sum: little-endian 32-bit digits, one in each i64. Wide enough for 2^63 - 1
    /// elements: 63 bits more than the largest magnitude in units, and a sign.
    type Digits: AsRef<[i64]> + AsMut<[i64]> + Copy;
    /// The digits of zero.
    const ZERO: Self::Digits;
    /// Exponent of the unit: every finite element is an integer times `2^UNIT`.
    const UNIT: i32;

    /// This element as an integer multiple of the unit.
    fn value(self) -> Value;
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
    const UNIT: i32 = <Self as Format>::UNIT;

    #[inline(always)]
    fn value(self) -> Value {
        self.decode()
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
    const UNIT: i32 = <Self as Format>::UNIT;

    #[inline(always)]
    fn value(self) -> Value {
        self.decode()
    }
}
