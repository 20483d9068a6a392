//! The superaccumulator: the exact sum, as a fixed-point number in integer digits.
//!
//! After Kulisch's long accumulator, with carry-save digits as in Neal, "Fast exact summation using
//! small and large superaccumulators" (2015, arXiv:1505.05571). Integer arithmetic only, so no
//! rounding mode, flush-to-zero flag or trap of the caller's can reach it.

use crate::element::{Element, Value};
use crate::format::Format;

/// Bits in a digit. A digit lives in an i64, whose other 31 bits and sign save the carries.
const DIGIT_BITS: u32 = 32;
const DIGIT_MASK: u64 = (1 << DIGIT_BITS) - 1;

/// Additions between two carry propagations. One addition changes a limb by less than 2^32 and a
/// canonical limb is below 2^32, so |limb| < 2^32 + 2^30 * 2^32 < 2^63.
const ADDITIONS_PER_CARRY: usize = 1 << 30;
const _: () = assert!(DIGIT_MASK as i128 * (ADDITIONS_PER_CARRY as i128 + 1) <= i64::MAX as i128);

/// The exact sum of up to 2^63 - 1 elements.
///
/// Canonical between calls: every digit is in 0..2^32 but the top one, which carries the sign.
/// So merging two sums is integer addition, limb by limb, and equal sums have equal digits.
///
/// ```
/// use mean_core::ExactSum;
/// let mut sum = ExactSum::new();
/// sum.extend(&[1e308, 1e308]);
/// sum.extend(&[2.0, -1e308, -1e308]);
/// assert_eq!(sum.mean(), Some(0.4));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ExactSum<E: Element> {
    digits: E::Digits,
    n: u64,
    nans: u64,
    /// +inf, -inf
    infinities: [u64; 2],
}

impl<E: Element> Default for ExactSum<E> {
    fn default() -> Self {
        Self::new()
    }
}

impl<E: Element> ExactSum<E> {
    /// The sum of nothing.
    pub fn new() -> Self {
        Self { digits: E::ZERO, n: 0, nans: 0, infinities: [0; 2] }
    }

    /// Adds every element of `data`.
    pub fn extend(&mut self, data: &[E]) {
        for chunk in data.chunks(ADDITIONS_PER_CARRY) {
            for &x in chunk {
                self.add(x.value());
            }
            propagate_carries(self.digits.as_mut());
        }
        self.n += data.len() as u64;
    }

    #[inline(always)]
    fn add(&mut self, value: Value) {
        match value {
            Value::Finite { negative, significand, shift } => {
                let first = (shift / DIGIT_BITS) as usize;
                let wide = u128::from(significand) << (shift % DIGIT_BITS);
                // x ^ sign - sign is x or -x: no branch on the sign, which data make unpredictable.
                let sign = -i64::from(negative);
                let limbs = &mut self.digits.as_mut()[first..first + 3];
                for (k, limb) in (0..).zip(limbs) {
                    let digit = (wide >> (k * DIGIT_BITS)) as u64 & DIGIT_MASK;
                    *limb += (digit as i64 ^ sign) - sign;
                }
            }
            Value::Infinite { negative } => self.infinities[usize::from(negative)] += 1,
            Value::NaN => self.nans += 1,
        }
    }

    /// The mean, rounded once into the result's format; `None` where nothing was added.
    pub fn mean(&self) -> Option<E::Mean> {
        if self.n == 0 {
            return None;
        }
        Some(match (self.nans, self.infinities) {
            (0, [0, 0]) => self.finite_mean(),
            (0, [_, 0]) => Format::infinity(false),
            (0, [0, _]) => Format::infinity(true),
            _ => Format::nan(),
        })
    }

    fn finite_mean(&self) -> E::Mean {
        let mut magnitude = self.digits;
        let limbs = magnitude.as_mut();
        let negative = limbs.last().is_some_and(|&top| top < 0);
        if negative {
            limbs.iter_mut().for_each(|limb| *limb = -*limb);
            propagate_carries(limbs);
        }
        let Some(highest) = limbs.iter().rposition(|&digit| digit != 0) else {
            return E::Mean::signed(false, 0); // an exact zero is +0.0
        };
        // The 128 bits from the leading one down, from up to five digits, and whether any follow.
        let digit = |below: usize| {
            let index = highest.checked_sub(below);
            index.map_or(0, |index| limbs[index] as u128)
        };
        let four = (0..4).fold(0, |top, below| top << DIGIT_BITS | digit(below));
        let up = four.leading_zeros();
        let fifth = digit(4) << up;
        let top = four << up | fifth >> DIGIT_BITS;
        let rest = &limbs[..highest.saturating_sub(4)];
        let sticky = fifth as u64 & DIGIT_MASK != 0 || rest.iter().any(|&digit| digit != 0);
        let lowest_bit = (highest as i32 - 3) * DIGIT_BITS as i32 - up as i32;
        E::Mean::round_quotient(negative, top, sticky, E::UNIT + lowest_bit, self.n)
    }
}

/// Makes the limbs canonical: all but the top one in 0..2^32.
fn propagate_carries(limbs: &mut [i64]) {
    let mut carry = 0;
    let Some((top, lower)) = limbs.split_last_mut() else {
        return;
    };
    for limb in lower {
        let total = *limb + carry;
        *limb = total & DIGIT_MASK as i64;
        carry = total >> DIGIT_BITS; // arithmetic: rounds down, so the digit left is not negative
    }
    *top += carry;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the limbs hold just before a carry, at the most.
    #[test]
    fn carries_are_exact_at_the_bound() {
        let bound = DIGIT_MASK as i64 * (ADDITIONS_PER_CARRY as i64 + 1);
        for limb in [bound, -bound, bound - 1, 1, 0, -1] {
            let value = |limbs: [i64; 3]| {
                limbs.iter().rev().fold(0, |sum, &limb| (sum << DIGIT_BITS) + i128::from(limb))
            };
            let mut limbs = [limb, limb, limb >> DIGIT_BITS];
            let before = value(limbs);
            propagate_carries(&mut limbs);
            assert_eq!(value(limbs), before);
            assert!(limbs[..2].iter().all(|digit| (0..=DIGIT_MASK as i64).contains(digit)));
        }
    }

    /// No array here reaches the largest count, so one element's digits are doubled 62 times.
    #[test]
    fn the_digits_hold_2_63_minus_1_elements() {
        fn check<E: Element<Mean = E> + PartialEq + std::fmt::Debug>(x: E) {
            let mut power = ExactSum::new();
            power.extend(&[x]);
            let mut total = power;
            for _ in 0..62 {
                let double = |limb: &mut i64| *limb *= 2;
                power.digits.as_mut().iter_mut().for_each(double);
                propagate_carries(power.digits.as_mut());
                power.n *= 2;
                let limbs = power.digits.as_ref().iter();
                let pairs = total.digits.as_mut().iter_mut().zip(limbs);
                pairs.for_each(|(limb, &other)| *limb += other);
                total.n += power.n;
            }
            propagate_carries(total.digits.as_mut());
            assert_eq!(total.n, (1 << 63) - 1);
            assert_eq!(total.mean(), Some(x));
        }
        let _ = [f64::MAX, f64::MIN, 5e-324].map(check);
        let _ = [f32::MAX, f32::MIN, 1e-45].map(check);
    }
}
