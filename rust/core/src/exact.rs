//! The exact path: a superaccumulator, the exact sum as a fixed-point number in integer digits.
//!
//! After Kulisch's long accumulator, with carry-save digits as in Neal, "Fast exact summation using
//! small and large superaccumulators" (2015, arXiv:1505.05571). Integer arithmetic only, so no
//! rounding mode, flush-to-zero flag or trap of the caller's can reach it. It is the last resort of
//! the kernels, and the truth that they are tested against.

use crate::element::Float;
use crate::format::Binary;
use crate::level::vectorize;
use crate::quotient::{round_mean, round_quotient};
use crate::runs::Runs;
use crate::tile::{Rows, Shape, ROWS, TILE};
use fearless_simd::Level;

/// Bits in a digit. A digit lives in an i64, whose other bits save the carries.
const DIGIT_BITS: u32 = 32;
const DIGIT_MASK: u64 = (1 << DIGIT_BITS) - 1;

/// Additions between two carry propagations. One addition changes a limb by less than 2^53, and a
/// canonical limb is below 2^32.
const ADDITIONS_PER_CARRY: usize = 1 << 9;
const _: () = assert!((ADDITIONS_PER_CARRY as u64 + 1) << 53 <= i64::MAX as u64);

/// The correctly rounded mean of `data` by integers alone, or `None` where it is empty.
///
/// ```
/// assert_eq!(mean_core::exact_mean(&[1e100, 1.0, -1e100]), Some(1.0 / 3.0));
/// ```
pub fn exact_mean<E: Float>(data: &[E]) -> Option<E> {
    let n = data.len() as u64;
    (n > 0).then(|| E::from_bits(exact_mean_bits(data, n, E::BINARY)))
}

/// The encoding of the mean of `data`, of which `n` elements count.
#[inline(always)]
pub(crate) fn exact_mean_bits<E: Float>(data: &[E], n: u64, format: Binary) -> u64 {
    let specials = Specials::of(data);
    if specials.any() {
        return specials.mean(format);
    }
    let mut sum = ExactSum::new();
    sum.extend(data);
    sum.mean(n, format)
}

/// The encoding of the mean of elements in runs, of which at least one counts.
#[inline(always)]
pub(crate) fn exact_mean_of_runs<E: Float>(runs: &mut dyn Runs<E>, format: Binary) -> Option<u64> {
    let (mut sum, mut specials) = (ExactSum::new(), Specials::default());
    while let Some(run) = runs.next_run() {
        specials.merge(Specials::of(run));
        if !specials.any() {
            sum.extend(run);
        }
    }
    match runs.count() {
        0 => None,
        _ if specials.any() => Some(specials.mean(format)),
        n => Some(sum.mean(n, format)),
    }
}

/// Which elements are there that are not finite.
#[derive(Clone, Copy, Default)]
pub(crate) struct Specials {
    nan: bool,
    plus: bool,
    minus: bool,
}

/// Which of them an element is: a bit for each. `skips`: no NaN.
#[inline(always)]
fn special_bits<E: Float>(x: E, skips: bool) -> u8 {
    let nan = x.magnitude_bits() > E::INFINITY && !skips;
    let plus = x.to_bits() == E::INFINITY;
    let minus = x.to_bits() == E::INFINITY | E::SIGN;
    u8::from(nan) | u8::from(plus) << 1 | u8::from(minus) << 2
}

impl Specials {
    /// Those of each column of a table: of those elements that count.
    pub fn of_columns<E: Float>(level: Level, table: &mut dyn Rows<E>, shape: Shape) -> Vec<Self> {
        let Shape { rows, columns, copies, counted, .. } = shape;
        let skips = counted == Some(true);
        let wide = columns * copies;
        let mut found = vec![0_u8; wide];
        for first in (0..wide).step_by(TILE) {
            let until = wide.min(first + TILE);
            for from in (0..rows).step_by(ROWS) {
                let to = rows.min(from + ROWS);
                let (eight, masks) = table.rows_and_masks(from..to, first..until);
                vectorize(
                    level,
                    #[inline(always)]
                    || {
                        for (k, row) in eight[..to - from].iter().enumerate() {
                            let found = found[first..until].iter_mut().zip(*row);
                            let Some(masks) = masks else {
                                found.for_each(|(found, &x)| *found |= special_bits(x, skips));
                                continue;
                            };
                            for ((found, &x), &byte) in found.zip(masks[k]) {
                                // (Not a choice: compilers make a branch of it.)
                                let counts = u8::from(byte != 0).wrapping_neg();
                                *found |= special_bits(x, skips) & counts;
                            }
                        }
                    },
                );
            }
        }
        let of = |column: usize| {
            let all = shape.places(column).fold(0, |all, place| all | found[place]);
            Self { nan: all & 1 != 0, plus: all & 2 != 0, minus: all & 4 != 0 }
        };
        (0..columns).map(of).collect()
    }

    /// Those of a slice.
    #[inline(always)]
    pub fn of<E: Float>(data: &[E]) -> Self {
        // The largest magnitude says whether there are any: in chunks, so that a vector loop finds it, and a NaN,
        // beside which infinities do not matter, ends the search.
        let largest = |chunk: &[E]| chunk.iter().fold(0, |max, x| x.magnitude_bits().max(max));
        let mut found = Self::default();
        for chunk in data.chunks(1024) {
            let largest = largest(chunk);
            if largest > E::INFINITY {
                return Self { nan: true, ..found };
            }
            if largest == E::INFINITY {
                let has = |bits| chunk.iter().any(|x| x.to_bits() == bits);
                found.plus |= has(E::INFINITY);
                found.minus |= has(E::INFINITY | E::SIGN);
            }
        }
        found
    }

    fn merge(&mut self, other: Self) {
        self.nan |= other.nan;
        self.plus |= other.plus;
        self.minus |= other.minus;
    }

    pub fn any(self) -> bool {
        self.nan || self.plus || self.minus
    }

    /// An infinity, or NaN for a NaN or infinities of both signs.
    pub fn mean(self, format: Binary) -> u64 {
        if self.nan || (self.plus && self.minus) {
            format.nan()
        } else {
            format.signed(self.minus, format.infinity())
        }
    }
}

/// The exact sum of up to 2^63 - 1 finite elements.
///
/// Canonical between calls: every digit is in 0..2^32 but the top one, which carries the sign. So
/// merging two sums is integer addition, limb by limb, and equal sums have equal digits.
#[derive(Clone)]
pub(crate) struct ExactSum<E: Float> {
    digits: E::Digits,
}

impl<E: Float> ExactSum<E> {
    /// The sum of nothing.
    pub fn new() -> Self {
        Self { digits: E::ZERO }
    }

    /// Adds every element of `data`, all finite.
    #[inline(always)]
    pub fn extend(&mut self, data: &[E]) {
        // Neighbours often meet in the same limbs, and the second would wait until the first one's
        // store is forwarded: so every other one goes to limbs of its own.
        let mut other = E::ZERO;
        for chunk in data.chunks(2 * ADDITIONS_PER_CARRY - 1) {
            let mut pairs = chunk.chunks_exact(2);
            for pair in &mut pairs {
                add(self.digits.as_mut(), pair[0]);
                add(other.as_mut(), pair[1]);
            }
            if let [last] = pairs.remainder() {
                add(self.digits.as_mut(), *last);
            }
            propagate_carries(self.digits.as_mut());
            propagate_carries(other.as_mut());
        }
        let pairs = self.digits.as_mut().iter_mut().zip(other.as_ref());
        pairs.for_each(|(limb, other)| *limb += other);
        propagate_carries(self.digits.as_mut());
    }

    /// Adds `sum` * 2^`unit`, a multiple of the smallest subnormal.
    pub fn add_scaled(&mut self, sum: i128, unit: i32) {
        // Where a grid is finer than that, what it holds is a multiple of it all the same.
        let finer = (E::MIN_EXPONENT - unit).clamp(0, 127) as u32;
        debug_assert!(sum == 0 || sum.trailing_zeros() >= finer);
        let shift = (unit - E::MIN_EXPONENT).max(0) as u32;
        let (first, up) = ((shift / DIGIT_BITS) as usize, shift % DIGIT_BITS);
        let Some((top, lower)) = self.digits.as_mut()[first..].split_last_mut() else {
            return;
        };
        let (mut rest, mut carry) = (sum >> finer, 0);
        for limb in lower {
            let total = i128::from(*limb) + ((rest & i128::from(DIGIT_MASK)) << up) + carry;
            *limb = total as i64 & DIGIT_MASK as i64;
            carry = total >> DIGIT_BITS;
            rest >>= DIGIT_BITS;
        }
        *top += ((rest << up) + carry) as i64;
    }

    /// RN(sum / n).
    pub fn mean(&self, n: u64, format: Binary) -> u64 {
        let mut magnitude = self.digits.clone();
        let limbs = magnitude.as_mut();
        let negative = limbs.last().is_some_and(|&top| top < 0);
        if negative {
            limbs.iter_mut().for_each(|limb| *limb = -*limb);
            propagate_carries(limbs);
        }
        let Some(highest) = limbs.iter().rposition(|&digit| digit != 0) else {
            return 0; // an exact zero is +0.0
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
        round_quotient(negative, top, sticky, E::MIN_EXPONENT + lowest_bit, n, format)
    }
}

/// Adds one finite element to carry-save limbs.
#[inline(always)]
fn add<E: Float>(limbs: &mut [i64], x: E) {
    let (significand, shift) = x.decode();
    // significand << up is one digit, and a signed rest that fits one limb without being split.
    let up = shift % DIGIT_BITS;
    let first = (shift / DIGIT_BITS) as usize;
    let limbs = &mut limbs[first..first + 2];
    limbs[0] += (significand << up) & DIGIT_MASK as i64;
    limbs[1] += significand >> (DIGIT_BITS - up);
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

/// The mean of fewer than 32 finite elements whose leading bits are within 64 binades: their sum
/// is exact in two registers. `None` where they do not fit.
#[inline(always)]
pub(crate) fn mean_of_few<E: Float>(data: &[E], n: u64, format: Binary) -> Option<u64> {
    debug_assert!(data.len() < 32);
    let largest = data.iter().fold(0, |max, x| max.max(x.magnitude_bits()));
    if largest >= E::INFINITY {
        return None;
    }
    let top = ((largest >> E::FRACTION_BITS).max(1) - 1) as u32;
    // In units of 2^(top - 5), and what is below them in units of 2^-64 of that.
    let (mut whole, mut below, mut spread) = (0, 0, 0);
    for x in data {
        let (significand, shift) = x.decode();
        let down = top - shift;
        spread |= if significand == 0 { 0 } else { down };
        // Below 2^58 in magnitude, so 31 of them stay below 2^63.
        let scaled = significand << 5;
        whole += scaled >> (down & 63);
        below += u128::from(((scaled << 1) << (63 - (down & 63))) as u64);
    }
    if spread > 63 {
        return None;
    }
    let sum = (i128::from(whole) << 64) + below as i128;
    let unit = E::MIN_EXPONENT + top as i32 - 5 - 64;
    Some(round_mean(sum, unit, n, format))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the limbs hold just before a carry, at the most.
    #[test]
    fn carries_are_exact_at_the_bound() {
        let bound = (ADDITIONS_PER_CARRY as i64 + 1) << 53;
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
        fn check<E: Float + PartialEq + std::fmt::Debug>(x: E) {
            let mut power = ExactSum::new();
            power.extend(&[x]);
            let mut total = power.clone();
            for _ in 0..62 {
                power.digits.as_mut().iter_mut().for_each(|limb| *limb *= 2);
                propagate_carries(power.digits.as_mut());
                let pairs = total.digits.as_mut().iter_mut().zip(power.digits.as_ref());
                pairs.for_each(|(limb, &other)| *limb += other);
                propagate_carries(total.digits.as_mut());
            }
            assert_eq!(E::from_bits(total.mean((1 << 63) - 1, E::BINARY)), x);
        }
        let _ = [f64::MAX, f64::MIN, 5e-324].map(check);
        let _ = [f32::MAX, f32::MIN, 1e-45].map(check);
    }

    #[test]
    fn scaled_sums_are_the_sums_of_their_elements() {
        for (sum, unit) in [(-7_i128 << 90, 0), (12345, -1074), (-3 << 20, -1090), (1 << 100, 800)]
        {
            let mut scaled = ExactSum::<f64>::new();
            scaled.extend(&[1.0, -2e-300]);
            scaled.add_scaled(sum, unit);
            let mut plain = ExactSum::new();
            let power = |k: i32| 2_f64.powi(k / 2) * 2_f64.powi(k - k / 2);
            let (odd, k) = (sum >> sum.trailing_zeros(), unit + sum.trailing_zeros() as i32);
            plain.extend(&[1.0, -2e-300, odd as f64 * power(k)]);
            assert_eq!(scaled.digits, plain.digits);
        }
    }
}
