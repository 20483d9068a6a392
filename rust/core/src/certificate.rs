//! The certificate: a proof that a sum known to within a bound has one correctly rounded mean.

use crate::element::{Element, Float};
use crate::exact::ExactSum;
use crate::quotient::{round_quotient, Quotient};

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
    /// RN(S / n), where `sum` ± `bound` leave no doubt of it: RN is monotone, so equal roundings of
    /// both ends prove the whole interval, whatever midpoints, subnormals or zeros are about
    /// (Ziv's rounding test).
    #[inline(always)]
    pub fn mean<E: Float>(&self, n: u64) -> Option<E> {
        let (negative, magnitude) = (self.sum < 0, self.sum.unsigned_abs());
        if self.bound == 0 {
            return Some(match magnitude {
                0 => E::signed(false, 0),
                _ => round_quotient(negative, magnitude, false, self.unit, n),
            });
        }
        if magnitude <= self.bound {
            return None; // the sign is open
        }
        // One division nearly always settles it. With bound <= n and the quotient's last bit no
        // finer than the sum's unit, S / n is within two of the quotient's bits: one for what the
        // division leaves, one for bound / n. Only a midpoint so near could come between.
        let quotient = Quotient::new(magnitude, self.unit, n, true);
        if self.bound <= u128::from(n) && quotient.exponent >= self.unit {
            let leading = 63 - quotient.bits.leading_zeros() as i32 + quotient.exponent;
            let grid = (leading - E::FRACTION_BITS as i32).max(E::MIN_EXPONENT);
            let dropped = grid - quotient.exponent;
            // (At a power of two the grid below is half as wide: 4 bits leave room for that.)
            if (4..64).contains(&dropped) {
                let rest = quotient.bits << (64 - dropped);
                if rest.abs_diff(1 << 63) > 2 << (64 - dropped) {
                    return Some(E::round(negative, quotient.bits | 1, quotient.exponent));
                }
            }
        }
        self.mean_of_both_ends(n)
    }

    #[cold]
    #[inline(never)]
    fn mean_of_both_ends<E: Float>(&self, n: u64) -> Option<E> {
        let (negative, magnitude) = (self.sum < 0, self.sum.unsigned_abs());
        let round = |end| round_quotient(negative, end, false, self.unit, n);
        let [low, high]: [E; 2] = [magnitude - self.bound, magnitude + self.bound].map(round);
        (low.to_bits() == high.to_bits()).then_some(low)
    }
}

/// Bounded sums of several grids: their digits, and a bound on what they dropped.
#[derive(Clone)]
pub(crate) struct BoundedDigits<E: Element> {
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
            let down = |bound: u128, from: i32| match (unit - from).min(127) {
                0 => bound,
                shift => (bound >> shift) + 1,
            };
            self.bound = down(self.bound, self.unit) + down(part.bound, part.unit);
            self.unit = unit;
        }
    }

    /// Adds the last part, and returns RN(S / n) where the bound leaves no doubt of it, as
    /// [`Bounded::mean`].
    #[cold]
    #[inline(never)]
    pub fn mean_with(&mut self, last: &Bounded, n: u64) -> Option<E> {
        self.add(last);
        let end = |bound: i128| {
            let mut digits = self.digits.clone();
            digits.add_scaled(bound, self.unit);
            digits.mean(n)
        };
        let bound = i128::try_from(self.bound).ok()?;
        let (low, high): (E, E) = (end(-bound), end(bound));
        // With 0 inside the interval both ends may round to zeros, of a sign that is open.
        let sure = self.bound == 0 || low.magnitude_bits() != 0;
        (sure && low.to_bits() == high.to_bits()).then_some(low)
    }
}
