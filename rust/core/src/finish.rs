//! The certificate in lanes: many means, proved without a division.
//!
//! A lane holds the sum of n elements, V = upper + (T1 - A1) + (T2 - A2), known to within B = half
//! a unit of its last grid for each element that may have dropped something. Sought is RN(S / n),
//! |S - V| <= B. Below, e = 2^-53.
//!
//! # The quotient and its radius
//!
//! 1. (H, W) = V: by TwoSum, exact, with |W| <= e |H|. Only with an `upper` are there three parts:
//!    then one sum l of two of them is rounded, by at most e |l| (1 + e).
//! 2. inv = RN(1 / n) and q = RN(H inv), within 2 e (1 + e) |H| / n of H / n.
//! 3. rem = fma(-q, n, H) = H - q n exactly: it is a multiple of ulp(q), since H is (|H| >= |q|, or
//!    they are equal), and at most 2 e (1 + e) |H| < 4.1 n ulp(q), so representable for n < 2^50.
//! 4. w = RN(rem + W), within e |w|; c = RN(w inv), within 2 e (1 + e) |w| / n of w / n.
//! 5. So S / n = q + c + d with |d| <= (B + e (1 + e) |l| + 3.1 e |w|) / n. The ends c - d and c + d are
//!    rounded too: e (|c| + |d|) more. All this is less than g = ((|w| + |l|) 16 e + B') inv even
//!    as it is rounded, for B' has half a unit more than B and at most 2^34 of them: a relative
//!    2^-34, against some 5 e.
//!
//! RN is monotone, so S / n lies between the roundings of q + (c - g) and q + (c + g), each a single
//! addition; if they are the same bits, these are the mean's. (With |q| >= 2^-850, grids no finer, and
//! n <= 2^50 nothing above is subnormal. The result may be, of a sum of no such lane: those are left
//! to integers.)
//!
//! A result of a narrower format is rounded twice: q + (c ± g) to float64, then to the format. The
//! first moves each end by less than 2 e |q|, by which the radius is made larger: then the ends as
//! rounded enclose S / n, and rounding them again is monotone again.
//!
//! # Ties
//!
//! Where nothing was dropped, and w and c are exact in that w is rem + W and fma(-c, n, w) is 0, the
//! mean IS q + c: the radius is 0, and one rounding decides a tie. (For a narrower result, q + c must
//! be exact too.) c gets there by one more step of the division.
//!
//! A zero is exact in the same way, and +0.0: T1 - A1 is +0.0 if T1 is A1, and so is all that
//! follows. Where only the ends are 0, one of them has a sign, or is not 0.

use crate::element::Float;
use crate::format::Format;
use crate::tile::{load, power, Plan, A1, DROPPED, MOVED, T1, T2, UPPER};
use crate::window::bits;
use fearless_simd::{prelude::*, Simd};

/// The most columns in a group: 4 vectors of 512 bits.
const MOST: usize = 32;
/// Below it, subnormal numbers could come up.
const TINY: f64 = f64::from_bits((1023 - 850) << 52);

/// The means of a group, and a bit for each that is not proved.
pub(crate) struct Certified<E> {
    pub means: [E; MOST],
    pub open: u32,
}

/// The means of a group's columns, from `rows` rows and n elements.
#[inline(always)]
pub(crate) fn certify<S: Simd, E: Float, const FLAG: bool, const TWO: bool>(
    simd: S,
    state: &[f64],
    plan: &Plan,
    rows: usize,
    n: u64,
) -> Certified<E> {
    let len = S::f64s::LEN;
    let sums: [[S::f64s; 4]; 6] = [T1, T2, DROPPED, A1, UPPER, MOVED].map(
        #[inline(always)]
        |slot| load::<S>(simd, state, slot),
    );
    let mut certified = Certified { means: [E::signed(false, 0); MOST], open: 0 };
    for i in 0..4 {
        let [t1, t2, dropped, a1, upper, moved] = sums.map(
            #[inline(always)]
            |slot| slot[i],
        );
        let sum = Sum::<S> { t1, t2, dropped, a1, upper, moved };
        let (mean, proved) = sum.mean::<E, FLAG, TWO>(simd, plan, rows as f64, n as f64);
        certified.open |= (!proved.to_bitmask() as u32 & ((1 << len) - 1)) << (i * len);
        for (mean, &lane) in certified.means[i * len..].iter_mut().zip(mean.as_slice()) {
            *mean = exact_from::<E>(lane);
        }
    }
    certified
}

struct Sum<S: Simd> {
    t1: S::f64s,
    t2: S::f64s,
    dropped: S::f64s,
    a1: S::f64s,
    upper: S::f64s,
    moved: S::f64s,
}

impl<S: Simd> Sum<S> {
    /// The mean as float64, and where it is proved.
    #[inline(always)]
    fn mean<E: Float, const FLAG: bool, const TWO: bool>(
        &self,
        simd: S,
        plan: &Plan,
        rows: f64,
        n: f64,
    ) -> (S::f64s, S::mask64s) {
        let splat = |x: f64| S::f64s::splat(simd, x);
        let zero = splat(0.0);
        let (divisor, inverse) = (splat(n), splat(1.0 / n));

        let h = self.t1 - self.a1;
        let l = if TWO { self.t2 - self.a1 * splat(plan.a2_of_a1) } else { zero };
        let (h, l, noise) = if plan.carries {
            let (h, rest) = two_sum::<S>(self.upper, h);
            let l = rest + l;
            (h, l, l.abs())
        } else {
            (h, l, zero)
        };
        let (h, l) = if TWO || plan.carries { two_sum::<S>(h, l) } else { (h, l) };

        let half_unit = power(simd, self.a1) * splat(plan.half_unit);
        let mut exact = self.a1.simd_eq(splat(plan.lowest));
        if FLAG {
            exact |= self.dropped.simd_eq(zero);
        }
        let bound = exact.select(zero, (self.moved + splat(rows + 1.0)) * half_unit);

        let q = h * inverse;
        let rem = (-q).mul_add(divisor, h);
        let (w, w_error) = two_sum::<S>(rem, l);
        let mut c = w * inverse;
        let mut radius = (w.abs() + noise).mul_add(splat(f64::EPSILON * 8.0), bound) * inverse;
        if E::PRECISION < f64::PRECISION {
            radius = q.abs().mul_add(splat(f64::EPSILON * 2.0), radius);
        }
        if FLAG {
            let refined = (-c).mul_add(divisor, w).mul_add(inverse, c);
            let rest = (-refined).mul_add(divisor, w);
            let rounded =
                if E::PRECISION < f64::PRECISION { two_sum::<S>(q, refined).1 } else { zero };
            let all = exact
                & w_error.simd_eq(zero)
                & rest.simd_eq(zero)
                & rounded.simd_eq(zero)
                & noise.simd_eq(zero);
            c = all.select(refined, c);
            radius = all.select(zero, radius);
        }
        let low = to_precision::<S, E>(simd, q + (c - radius));
        let high = to_precision::<S, E>(simd, q + (c + radius));

        let size = q.abs();
        let tiny = splat(TINY);
        let usual = size.simd_ge(tiny) & size.simd_le(splat(f64::MAX)) & half_unit.simd_ge(tiny);
        let nothing = h.simd_eq(zero) & bound.simd_eq(zero);
        (low, bits::<S>(low).simd_eq(bits::<S>(high)) & (usual | nothing))
    }
}

/// a + b as its rounding and the error of it (Knuth).
#[inline(always)]
fn two_sum<S: Simd>(a: S::f64s, b: S::f64s) -> (S::f64s, S::f64s) {
    let sum = a + b;
    let b_part = sum - a;
    (sum, (a - (sum - b_part)) + (b - b_part))
}

/// Rounds to the precision of `E`, and to its subnormal numbers: by an addition to 1.5 * 2^52 units
/// of the result's grid. (Overflow is left to the conversion.)
#[inline(always)]
fn to_precision<S: Simd, E: Float>(simd: S, x: S::f64s) -> S::f64s {
    if E::PRECISION == f64::PRECISION {
        return x;
    }
    let precision = E::PRECISION as i32;
    let grid = power(simd, x).max(S::f64s::splat(simd, exp2(E::MIN_EXPONENT + precision - 1)));
    let anchor = grid * S::f64s::splat(simd, 1.5 * exp2(53 - precision));
    ((x + anchor) - anchor).copysign(x)
}

/// `2^exponent`, a normal number.
const fn exp2(exponent: i32) -> f64 {
    f64::from_bits(((exponent + 1023) as u64) << 52)
}

/// A number of `E`'s precision in `E`; infinity where it is too large.
#[inline(always)]
fn exact_from<E: Float>(x: f64) -> E {
    match E::PRECISION {
        53 => E::from_bits(x.to_bits()),
        24 => E::from_bits((x as f32).to_bits().into()),
        _ => {
            let (significand, shift) = x.decode();
            if significand == 0 {
                return E::signed(x.is_sign_negative(), 0);
            }
            let up = significand.unsigned_abs().leading_zeros();
            let exponent = shift as i32 + f64::MIN_EXPONENT - up as i32;
            E::round(significand < 0, significand.unsigned_abs() << up, exponent)
        }
    }
}
