//! The certificate: a proof that a sum known to within a bound has one correctly rounded mean.

use crate::element::Float;
use crate::exact::ExactSum;
use crate::format::Binary;
use crate::quotient::{round_mean, round_quotient, Quotient};

/// A sum known to within a bound: |S - `sum` * 2^`unit`| <= `bound` * 2^`unit`.
///
/// The kernel's result. A bound of 0 says that the sum is exact, which a mergeable state needs; a
/// mean is content with the certificate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounded {
    pub sum: i128,
    pub bound: u128,
    pub unit: i32,
}

impl Bounded {
    /// Adds a sum on the same grid; false, and nothing is added, where it is on another one or there
    /// is no room.
    pub fn add(&mut self, other: &Self) -> bool {
        let (sum, bound) = (self.sum.checked_add(other.sum), self.bound.checked_add(other.bound));
        match (sum, bound) {
            (Some(sum), Some(bound)) if self.unit == other.unit => {
                (self.sum, self.bound) = (sum, bound);
                true
            }
            _ => false,
        }
    }

    /// RN(S / n), where `sum` ± `bound` leave no doubt of it: RN is monotone, so equal roundings of
    /// both ends prove the whole interval, whatever midpoints, subnormals or zeros are about
    /// (Ziv's rounding test).
    #[inline(always)]
    pub fn mean(&self, n: u64, format: Binary) -> Option<u64> {
        let (negative, magnitude) = (self.sum < 0, self.sum.unsigned_abs());
        if self.bound == 0 {
            return Some(round_mean(self.sum, self.unit, n, format));
        }
        if magnitude <= self.bound {
            return None; // the sign is open
        }
        // One division nearly always settles it. With at most a unit of the sum dropped for each of
        // the n, and the quotient's last bit no finer than that unit, S / n is within two of the
        // quotient's bits: one for what the division leaves, one for bound / n. Only a midpoint so
        // near could come between.
        let quotient = Quotient::new(magnitude, self.unit, n, true);
        if quotient.exponent >= self.unit && self.bound <= u128::from(n) {
            let leading = 63 - quotient.bits.leading_zeros() as i32 + quotient.exponent;
            let grid = (leading - format.fraction_bits() as i32).max(format.min_exponent());
            let dropped = grid - quotient.exponent;
            // (At a power of two the grid below is half as wide: 4 bits leave room for that.)
            if (4..64).contains(&dropped) {
                let rest = quotient.bits << (64 - dropped);
                if rest.abs_diff(1 << 63) > 2 << (64 - dropped) {
                    return Some(format.round(negative, quotient.bits | 1, quotient.exponent));
                }
            }
        }
        self.mean_of_both_ends(n, format)
    }

    #[cold]
    #[inline(never)]
    fn mean_of_both_ends(&self, n: u64, format: Binary) -> Option<u64> {
        let (negative, magnitude) = (self.sum < 0, self.sum.unsigned_abs());
        let round = |end| round_quotient(negative, end, false, self.unit, n, format);
        let [low, high] = [magnitude - self.bound, magnitude + self.bound].map(round);
        (low == high).then_some(low)
    }
}

/// Bounded sums of several grids: their digits, and a bound on what they dropped.
#[derive(Clone)]
pub(crate) struct BoundedDigits<E: Float> {
    digits: ExactSum<E>,
    bound: u128,
    unit: i32,
}

impl<E: Float> BoundedDigits<E> {
    /// The sum of nothing, exactly.
    pub fn new() -> Self {
        Self { digits: ExactSum::new(), bound: 0, unit: E::MIN_EXPONENT }
    }

    /// Adds a bounded sum.
    pub fn add(&mut self, part: &Bounded) {
        self.digits.add_scaled(part.sum, part.unit);
        if part.bound != 0 {
            // In the coarser of the two units, each rounded up.
            let unit = self.unit.max(part.unit);
            let down = |bound: u128, from: i32| bound.div_ceil(1 << (unit - from).min(127));
            self.bound = down(self.bound, self.unit) + down(part.bound, part.unit);
            self.unit = unit;
        }
    }

    /// Adds the last part, and returns RN(S / n) where the bound leaves no doubt of it, as
    /// [`Bounded::mean`].
    #[cold]
    #[inline(never)]
    pub fn mean_with(&mut self, last: &Bounded, n: u64, format: Binary) -> Option<u64> {
        self.add(last);
        let end = |bound: i128| {
            let mut digits = self.digits.clone();
            digits.add_scaled(bound, self.unit);
            digits.mean(n, format)
        };
        let bound = i128::try_from(self.bound).ok()?;
        let (low, high) = (end(-bound), end(bound));
        (low == high).then_some(low)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_that_may_be_zero_has_no_sign() {
        let mean = |sum, bound| {
            let mean = Bounded { sum, bound, unit: 0 }.mean(3, Binary::B64);
            mean.map(f64::from_bits)
        };
        assert_eq!(mean(3, 3), None);
        assert_eq!(mean(-3, 3), None);
        assert_eq!(mean(1 << 80, 3), Some(2_f64.powi(80) / 3.0));
    }

    #[test]
    fn a_midpoint_inside_the_bound_is_open() {
        // A mean of 2^53 + 1 is half way between two numbers.
        let mean = |sum: i128, bound| {
            let mean = Bounded { sum, bound, unit: 0 }.mean(4, Binary::B64);
            mean.map(f64::from_bits)
        };
        let tie = 4 * ((1 << 53) + 1);
        assert_eq!(mean(tie, 0), Some(2_f64.powi(53)));
        assert_eq!(mean(tie, 1), None);
        assert_eq!(mean(tie + 1, 1), None);
        assert_eq!(mean(tie + 2, 1), Some(2_f64.powi(53) + 2.0));
        assert_eq!(mean(tie - 2, 1), Some(2_f64.powi(53)));
    }

    #[test]
    fn bounds_of_other_grids_are_rounded_up() {
        let mut digits = BoundedDigits::<f64>::new();
        digits.add(&Bounded { sum: 0, bound: 5, unit: -10 });
        assert_eq!((digits.bound, digits.unit), (5, -10));
        digits.add(&Bounded { sum: 0, bound: 1, unit: -8 });
        assert_eq!((digits.bound, digits.unit), (1 + 1 + 1, -8)); // 5 / 4, up
        digits.add(&Bounded { sum: 0, bound: 1, unit: -20 });
        assert_eq!((digits.bound, digits.unit), (3 + 1, -8));
    }
}
