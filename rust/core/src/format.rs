//! IEEE 754 binary formats: decoding a number into integers, and the one rounding back.

/// An IEEE 754 binary interchange format (IEEE 754-2019, 3.4): what a mean is rounded to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binary {
    /// Width of the encoding in bits.
    width: u32,
    /// Bits of the significand, the hidden one included.
    precision: u32,
}

impl Binary {
    /// binary16, `float16`.
    pub const B16: Self = Self { width: 16, precision: 11 };
    /// `bfloat16`: the upper half of binary32.
    pub const BF16: Self = Self { width: 16, precision: 8 };
    /// binary32, `float32`.
    pub const B32: Self = Self { width: 32, precision: 24 };
    /// binary64, `float64`.
    pub const B64: Self = Self { width: 64, precision: 53 };

    /// Width of the stored fraction: the hidden bit is not stored.
    #[inline(always)]
    pub const fn fraction_bits(self) -> u32 {
        self.precision - 1
    }

    /// Whether it is so much narrower than float64 lanes that what one window drops does not show.
    #[inline(always)]
    pub(crate) const fn is_narrow(self) -> bool {
        self.precision <= Self::B32.precision
    }

    /// The biased exponent of infinities and NaNs: all ones.
    #[inline(always)]
    pub const fn special(self) -> u64 {
        (1 << (self.width - self.precision)) - 1
    }

    /// The encoding of +inf.
    #[inline(always)]
    pub const fn infinity(self) -> u64 {
        self.special() << self.fraction_bits()
    }

    /// The positive quiet NaN with payload 0.
    #[inline(always)]
    pub const fn nan(self) -> u64 {
        self.infinity() | 1 << (self.fraction_bits() - 1)
    }

    /// The sign bit.
    #[inline(always)]
    pub const fn sign(self) -> u64 {
        1 << (self.width - 1)
    }

    /// Exponent of the smallest subnormal: every finite number is an integer times 2 to it.
    #[inline(always)]
    pub const fn min_exponent(self) -> i32 {
        2 - (self.special() / 2) as i32 - self.precision as i32
    }

    /// The number of that sign whose magnitude is encoded by `magnitude_bits`.
    #[inline(always)]
    pub const fn signed(self, negative: bool, magnitude_bits: u64) -> u64 {
        (negative as u64) << (self.width - 1) | magnitude_bits
    }

    /// The encoding of RN(± q * 2^`exponent`), rounded once: the nearest number, ties to even,
    /// infinity beyond the largest.
    ///
    /// q has the bits of `quotient`, of which the lowest is sticky: it also says whether anything
    /// follows. So `quotient` has at least two bits more than any format's precision.
    #[inline(always)]
    pub(crate) fn round(self, negative: bool, quotient: u64, exponent: i32) -> u64 {
        let leading = 63 - quotient.leading_zeros() as i32 + exponent;
        // The result's grid: `precision` bits from the leading one down, but none below the smallest
        // subnormal.
        let grid = (leading - self.fraction_bits() as i32).max(self.min_exponent());
        let dropped = (grid - exponent) as u32;
        debug_assert!(dropped >= 2);
        let kept = if dropped < 64 {
            let (kept, rest) = (quotient >> dropped, quotient << (64 - dropped));
            let half = 1 << 63;
            kept + u64::from(rest > half || (rest == half && kept & 1 == 1))
        } else {
            u64::from(dropped == 64 && quotient > 1 << 63)
        };
        // Adding the significand to the exponent field encodes subnormal and normal numbers alike,
        // and lets a carry out of the significand move into the exponent, up to infinity.
        let field = ((grid - self.min_exponent()) as u64).min(self.special());
        self.signed(negative, ((field << self.fraction_bits()) + kept).min(self.infinity()))
    }
}

/// A type whose values are the numbers of a binary format.
///
/// A type supplies its format and its bits; decoding follows from them.
pub trait Format: Copy {
    /// The format.
    const BINARY: Binary;

    /// The encoding, in the low bits.
    fn to_bits(self) -> u64;
    /// The number whose encoding is in the low bits.
    fn from_bits(bits: u64) -> Self;

    /// Width of the encoding in bits.
    const BITS: u32 = Self::BINARY.width;
    /// Bits of the significand, the hidden one included.
    const PRECISION: u32 = Self::BINARY.precision;
    /// Width of the stored fraction.
    const FRACTION_BITS: u32 = Self::BINARY.fraction_bits();
    /// The biased exponent of infinities and NaNs.
    const SPECIAL: u64 = Self::BINARY.special();
    /// The encoding of +inf.
    const INFINITY: u64 = Self::BINARY.infinity();
    /// The sign bit.
    const SIGN: u64 = Self::BINARY.sign();
    /// Exponent of the smallest subnormal.
    const MIN_EXPONENT: i32 = Self::BINARY.min_exponent();

    /// The positive quiet NaN with payload 0.
    fn nan() -> Self {
        Self::from_bits(Self::BINARY.nan())
    }

    /// The infinity of that sign.
    fn infinity(negative: bool) -> Self {
        Self::signed(negative, Self::INFINITY)
    }

    /// The number of that sign whose magnitude is encoded by `magnitude_bits`.
    #[inline(always)]
    fn signed(negative: bool, magnitude_bits: u64) -> Self {
        Self::from_bits(Self::BINARY.signed(negative, magnitude_bits))
    }

    /// The encoding of the magnitude: larger for a larger magnitude, that of +inf and above for what
    /// is not finite.
    #[inline(always)]
    fn magnitude_bits(self) -> u64 {
        self.to_bits() & !Self::SIGN
    }

    /// A finite number as (m, shift): m * 2^(MIN_EXPONENT + shift), with |m| < 2^PRECISION.
    #[inline(always)]
    fn decode(self) -> (i64, u32) {
        let bits = self.magnitude_bits();
        let (exponent, fraction) = (bits >> Self::FRACTION_BITS, bits & !Self::INFINITY);
        // A normal number has the hidden bit, and its unit is 2^(exponent - 1) times the format's;
        // a subnormal one (exponent 0) has neither.
        let normal = u64::from(exponent != 0);
        let significand = (normal << Self::FRACTION_BITS | fraction) as i64;
        // x ^ sign - sign is x or -x: no branch on the sign, which data make unpredictable.
        let sign = -i64::from(self.to_bits() & Self::SIGN != 0);
        ((significand ^ sign) - sign, (exponent - normal) as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Far below the smallest subnormal, and far above the largest number: where a format narrower
    /// than the elements', or a tie at the very edge, leads.
    #[test]
    fn the_edges_of_the_range() {
        let round = |quotient, exponent| {
            f32::from_bits(Binary::B32.round(false, quotient, exponent) as u32)
        };
        let half = 1 << 63;
        let smallest = f32::from_bits(1);
        assert_eq!(round(half, -149 - 63), smallest);
        assert_eq!(round(half, -149 - 64), 0.0); // a tie with 0, which is even
        assert_eq!(round(half | 1, -149 - 64), smallest);
        assert_eq!(round(u64::MAX, -149 - 64), smallest);
        assert_eq!(round(u64::MAX, -149 - 65), 0.0);
        assert_eq!(round(half | 1, -1000), 0.0);
        let below_the_midpoint = u64::MAX << 39 & !(1 << 39) | 1;
        assert_eq!(round(below_the_midpoint, 64), f32::MAX);
        assert_eq!(round(u64::MAX << 39, 64), f32::INFINITY); // a tie with 2^128
        assert_eq!(round(half, 1000), f32::INFINITY);
    }
}
