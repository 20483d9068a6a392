//! Sum / n: the division in integers that precedes the one rounding.

use crate::format::Binary;

/// sum / n, in 55 to 64 leading bits.
pub(crate) struct Quotient {
    /// floor(sum / n / 2^exponent); at least 2^54.
    pub bits: u64,
    /// Whether anything follows.
    pub inexact: bool,
    pub exponent: i32,
}

impl Quotient {
    /// `magnitude` * 2^`exponent` / `n`; neither is 0. With `long` the quotient has 63 or 64 bits
    /// (where n < 2^32): room to see how far from a midpoint it is.
    ///
    /// A division of u128 by u64 is a call and some 30 ns; what occurs (n a power of two, or below
    /// 2^36) takes a shift, or one or two steps of long division by the hardware's u64 / u64.
    #[inline(always)]
    pub fn new(magnitude: u128, exponent: i32, n: u64, long: bool) -> Self {
        let up = magnitude.leading_zeros();
        let magnitude = magnitude << up;
        let exponent = exponent - up as i32;
        let (high, low) = ((magnitude >> 64) as u64, magnitude as u64);
        let bits_of_n = u64::BITS - n.leading_zeros();
        if n.is_power_of_two() {
            let exponent = exponent + 65 - bits_of_n as i32;
            return Self { bits: high, inexact: low != 0, exponent };
        }
        if bits_of_n <= 9 && !long {
            // high >= 2^63 and n < 2^9: 55 bits or more.
            let bits = high / n;
            let inexact = high - bits * n != 0 || low != 0;
            return Self { bits, inexact, exponent: exponent + 64 };
        }
        if bits_of_n <= 36 {
            // 65 - b or 64 - b bits (b those of n), then `more`: b - 1, or as many as keep
            // the remainder, below 2^b, in a u64. That is 63 or 64 in all, or at least 128 - 2 b.
            let more = (bits_of_n - 1).min(64 - bits_of_n);
            let first = high / n;
            let remainder = (high - first * n) << more | low >> (64 - more);
            let second = remainder / n;
            return Self {
                bits: first << more | second,
                inexact: remainder - second * n != 0 || low << more != 0,
                exponent: exponent + 64 - more as i32,
            };
        }
        Self::with_large_n(magnitude, exponent, n)
    }

    #[cold]
    #[inline(never)]
    fn with_large_n(magnitude: u128, exponent: i32, n: u64) -> Self {
        let n = u128::from(n);
        let quotient = magnitude / n; // 64 bits or more: magnitude >= 2^127
        let excess = 64 - quotient.leading_zeros();
        Self {
            bits: (quotient >> excess) as u64,
            inexact: !magnitude.is_multiple_of(n) || quotient.trailing_zeros() < excess,
            exponent: exponent + excess as i32,
        }
    }
}

/// RN(`sum` * 2^`exponent` / `n`), rounded once; an exact zero is +0.0.
#[inline(always)]
pub(crate) fn round_mean(sum: i128, exponent: i32, n: u64, format: Binary) -> u64 {
    match sum.unsigned_abs() {
        0 => 0,
        magnitude => round_quotient(sum < 0, magnitude, false, exponent, n, format),
    }
}

/// RN(± (`magnitude` + f) * 2^`exponent` / `n`), rounded once; `sticky` says whether f, in [0, 1),
/// is not 0, and then `magnitude` has its highest bit set. Neither `magnitude` nor `n` is 0.
#[inline(always)]
pub(crate) fn round_quotient(
    negative: bool,
    magnitude: u128,
    sticky: bool,
    exponent: i32,
    n: u64,
    format: Binary,
) -> u64 {
    debug_assert!(!sticky || magnitude.leading_zeros() == 0);
    let quotient = Quotient::new(magnitude, exponent, n, false);
    let inexact = quotient.inexact || sticky;
    format.round(negative, quotient.bits | u64::from(inexact), quotient.exponent)
}

#[cfg(test)]
mod tests {
    use super::*;
    use dashu_int::UBig;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..Default::default() })]
        #[test]
        fn the_quotient_is_the_floor(
            magnitude in (1..=u128::MAX, 0..128_u32).prop_map(|(m, down)| (m >> down).max(1)),
            n in (1..=u64::MAX, 0..64_u32).prop_map(|(n, down)| (n >> down).max(1)),
            long: bool,
        ) {
            let quotient = Quotient::new(magnitude, 0, n, long);
            prop_assert!(quotient.bits >= 1 << 54);
            prop_assert!(!long || n >= 1 << 32 || quotient.bits >= 1 << 62);
            // bits * 2^exponent * n <= magnitude < (bits + 1) * 2^exponent * n, in units small
            // enough for integers, which the test takes from a library.
            let [up, down] = [quotient.exponent.max(0), (-quotient.exponent).max(0)];
            let scaled = |bits: u64| (UBig::from(bits) * n) << up as usize;
            let magnitude = UBig::from(magnitude) << down as usize;
            prop_assert!(scaled(quotient.bits) <= magnitude);
            prop_assert_eq!(quotient.inexact, scaled(quotient.bits) != magnitude);
            prop_assert!(scaled(quotient.bits) + (UBig::from(n) << up as usize) > magnitude);
        }
    }
}
