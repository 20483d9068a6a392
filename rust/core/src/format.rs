//! IEEE 754 binary formats: decoding a number into integers, and the one rounding back.

use crate::element::Value;

/// An IEEE 754 binary interchange format (IEEE 754-2019, 3.4).
///
/// A type supplies its width, its precision and its bits; decoding and rounding follow from them.
pub trait Format: Copy {
    /// Width of the encoding in bits.
    const BITS: u32;
    /// Bits of the significand, the hidden one included.
    const PRECISION: u32;

    /// The encoding, in the low `BITS` bits.
    fn to_bits(self) -> u64;
    /// The number whose encoding is the low `BITS` bits.
    fn from_bits(bits: u64) -> Self;

    /// Width of the stored fraction: the hidden bit is not stored.
    const FRACTION_BITS: u32 = Self::PRECISION - 1;
    /// The biased exponent of infinities and NaNs: all ones.
    const SPECIAL: u64 = (1 << (Self::BITS - Self::PRECISION)) - 1;
    /// Exponent of the smallest subnormal: every finite number is an integer times `2^UNIT`.
    const UNIT: i32 = 2 - (Self::SPECIAL / 2) as i32 - Self::PRECISION as i32;

    /// The positive quiet NaN with payload 0.
    fn nan() -> Self {
        Self::from_bits(Self::SPECIAL << Self::FRACTION_BITS | 1 << (Self::FRACTION_BITS - 1))
    }

    /// The infinity of that sign.
    fn infinity(negative: bool) -> Self {
        Self::signed(negative, Self::SPECIAL << Self::FRACTION_BITS)
    }

    /// The number of that sign whose magnitude is encoded by `magnitude_bits`.
    fn signed(negative: bool, magnitude_bits: u64) -> Self {
        Self::from_bits(u64::from(negative) << (Self::BITS - 1) | magnitude_bits)
    }

    /// This number as an integer multiple of `2^UNIT`, or which special value it is.
    #[inline(always)]
    fn decode(self) -> Value {
        let bits = self.to_bits();
        let negative = bits >> (Self::BITS - 1) != 0;
        let exponent = bits >> Self::FRACTION_BITS & Self::SPECIAL;
        let fraction = bits & ((1 << Self::FRACTION_BITS) - 1);
        if exponent == Self::SPECIAL {
            return if fraction == 0 { Value::Infinite { negative } } else { Value::NaN };
        }
        // A normal number has the hidden bit and its unit is 2^(exponent - 1) times the format's;
        // a subnormal one (exponent 0) has neither.
        let normal = u64::from(exponent != 0);
        Value::Finite {
            negative,
            significand: normal << Self::FRACTION_BITS | fraction,
            shift: (exponent - normal) as u32,
        }
    }

    /// RN(± (`top` + f) * 2^`exponent` / `n`), rounded once: the nearest number, ties to even.
    ///
    /// `top` has its highest bit set; 0 <= f < 1, and `sticky` says whether f is not zero. `n` is
    /// not zero. Beyond the largest finite number the result is the infinity.
    fn round_quotient(negative: bool, top: u128, sticky: bool, exponent: i32, n: u64) -> Self {
        debug_assert!(top.leading_zeros() == 0 && n != 0);
        let n = u128::from(n);
        // floor((top + f) / n) = floor(top / n), and nothing is left exactly when neither division
        // leaves anything. top >= 2^127 and n < 2^64, so the quotient has at least 64 bits: more
        // than any format's precision plus the rounding bit, so `dropped` below is at least 1.
        let quotient = top / n;
        let sticky = sticky || !top.is_multiple_of(n);

        // The result's grid: PRECISION bits from the leading one down, but none below 2^UNIT.
        let leading = exponent + 127 - quotient.leading_zeros() as i32;
        let grid = (leading - Self::FRACTION_BITS as i32).max(Self::UNIT);
        let dropped = (grid - exponent) as u32;
        if dropped > 128 {
            return Self::signed(negative, 0); // less than half of the smallest subnormal
        }
        let half = quotient >> (dropped - 1);
        let kept = (half >> 1) as u64;
        let below_half = sticky || (half << (dropped - 1)) != quotient;
        let up = half & 1 == 1 && (below_half || kept & 1 == 1);

        // Adding the significand to the exponent field encodes subnormal and normal numbers alike,
        // and lets a carry out of the significand move into the exponent (up to infinity).
        let magnitude = ((grid - Self::UNIT) as u64) << Self::FRACTION_BITS;
        let magnitude = magnitude + kept + u64::from(up);
        Self::signed(negative, magnitude.min(Self::SPECIAL << Self::FRACTION_BITS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Far below the smallest subnormal, and far above the largest number: where a wider element
    /// than the result, or a tie at the very edge, leads.
    #[test]
    fn the_edges_of_the_range() {
        let round = |top, sticky, exponent| f32::round_quotient(false, top, sticky, exponent, 1);
        let half = 1 << 127;
        let smallest = Format::from_bits(1);
        assert_eq!(round(half, false, -149 - 127), smallest);
        assert_eq!(round(half, false, -149 - 128), 0.0); // a tie with 0, which is even
        assert_eq!(round(half, true, -149 - 128), smallest);
        assert_eq!(round(u128::MAX, true, -149 - 128), smallest);
        assert_eq!(round(u128::MAX, true, -149 - 129), 0.0);
        assert_eq!(round(half, true, -1000), 0.0);
        let just_below_overflow = u128::MAX << 103 & !(1 << 103);
        assert_eq!(round(just_below_overflow, true, 0), f32::MAX);
        assert_eq!(round(u128::MAX << 103, false, 0), f32::INFINITY); // a tie with 2^128
        assert_eq!(round(half, false, 1000), f32::INFINITY);
    }
}
