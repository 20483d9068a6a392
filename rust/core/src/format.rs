//! IEEE 754 binary formats: decoding a number into integers, and the one rounding back.

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
    /// The encoding of +inf.
    const INFINITY: u64 = Self::SPECIAL << Self::FRACTION_BITS;
    /// The sign bit.
    const SIGN: u64 = 1 << (Self::BITS - 1);
    /// Exponent of the smallest subnormal: every finite number is an integer times `2^MIN_EXPONENT`.
    const MIN_EXPONENT: i32 = 2 - (Self::SPECIAL / 2) as i32 - Self::PRECISION as i32;

    /// The positive quiet NaN with payload 0.
    fn nan() -> Self {
        Self::from_bits(Self::INFINITY | 1 << (Self::FRACTION_BITS - 1))
    }

    /// The infinity of that sign.
    fn infinity(negative: bool) -> Self {
        Self::signed(negative, Self::INFINITY)
    }

    /// The number of that sign whose magnitude is encoded by `magnitude_bits`.
    #[inline(always)]
    fn signed(negative: bool, magnitude_bits: u64) -> Self {
        Self::from_bits(u64::from(negative) << (Self::BITS - 1) | magnitude_bits)
    }

    /// The encoding of the magnitude: larger for a larger magnitude, `INFINITY` and above for what
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

    /// RN(± q * 2^`exponent`), rounded once: the nearest number, ties to even, infinity beyond the
    /// largest.
    ///
    /// q has the bits of `quotient`, of which the lowest is sticky: it also says whether anything
    /// follows. So `quotient` has at least two bits more than any format's precision.
    #[inline(always)]
    fn round(negative: bool, quotient: u64, exponent: i32) -> Self {
        let leading = 63 - quotient.leading_zeros() as i32 + exponent;
        // The result's grid: PRECISION bits from the leading one down, but none below 2^MIN_EXPONENT.
        let grid = (leading - Self::FRACTION_BITS as i32).max(Self::MIN_EXPONENT);
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
        let field = ((grid - Self::MIN_EXPONENT) as u64).min(Self::SPECIAL);
        Self::signed(negative, ((field << Self::FRACTION_BITS) + kept).min(Self::INFINITY))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Far below the smallest subnormal, and far above the largest number: where a format narrower
    /// than the elements', or a tie at the very edge, leads.
    #[test]
    fn the_edges_of_the_range() {
        let round = |quotient, exponent| <f32 as Format>::round(false, quotient, exponent);
        let half = 1 << 63;
        let smallest = Format::from_bits(1);
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
