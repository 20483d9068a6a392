//! The certificate in lanes: many means, proved without a division.
//!
//! (But for the sums of few narrow elements, below, and for 1 / n where n is each lane's own.) A lane
//! holds the sum of n elements, V = upper + (T1 - A1) + (T2 - A2), known to within B = half a unit of its
//! last grid for each element that may have dropped something. Sought is RN(S / n), |S - V| <= B. Below, e = 2^-53.
//!
//! # The quotient and its radius
//!
//! 1. (H, W) = V: exact, with |W| <= e |H|, by FastTwoSum, whatever the magnitudes, for T1 - A1 is a
//!    multiple of u1, and so of ulp(T2 - A2), below 2^(L-1) u1. Only with an `upper` are there three
//!    parts: then one sum l of two of them is rounded, by at most e |l| (1 + e). Of the copies of a
//!    narrow table's column the upper and high parts are added by TwoSum, and what these leave and
//!    the low parts make a plain sum: at most 3 k additions for k copies, each within e times the sum
//!    of the magnitudes. That sum times k (below, 16 e cover 3 e) stands for |l|.
//! 2. inv = RN(1 / n) and q = RN(H inv), within 2 e (1 + e) |H| / n of H / n.
//! 3. rem = fma(-q, n, H) = H - q n exactly: it is a multiple of ulp(q), since H is (|H| >= |q|, or
//!    they are equal), and at most 2 e (1 + e) |H| < 4.1 n ulp(q), so representable for n < 2^50.
//! 4. w = RN(rem + W), within e |w|, and its error by FastTwoSum: rem is a multiple of ulp(q), which is
//!    at least ulp(W) for n < 2^50. c = RN(w inv), within 2 e (1 + e) |w| / n of w / n.
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
//! A result of a narrower format is rounded more often: m = RN(q + c), the ends RN(m - g) and
//! RN(m + g), and these to the format. The first two move each end by less than 3 e |q|, so the radius
//! is larger by 4 e |q|: then the ends in float64 enclose S / n, and rounding them again is monotone.
//!
//! An exact sum may have any grid. Then what underflows, w inv and g, does so by less than
//! 2^-1073. That matters only within as much of a midpoint of q's neighbours, which is a multiple of
//! 2^-905: there |c| is at least 2^-906, and g, then above 2^-960, leaves it room.
//!
//! An exact sum of 2^k elements takes one rounding, that of its two parts: where the mean is normal, to
//! divide it is exact.
//!
//! # Exact sums for narrow formats
//!
//! If S is a float64, m = RN(S / n) is a division, and rounding it again, to P bits or to a subnormal
//! number, is harmless. It could do harm only where m is a midpoint and S / n is not, for RN is
//! monotone. But y = m n has at most 53 bits for n < 2^(52-P), so it is a float64, and S is another. If
//! y is a power of two, so are m and n, and S / n was exact. If not, |S / n - m| >= ulp(y) / n > e |m| >=
//! ulp(m) / 2. So m is not what S / n rounds to. (Here n is at most 64: of more, nobody looks at what is dropped.)
//!
//! # Ties
//!
//! Where nothing was dropped, and w and c are exact in that w is rem + W and fma(-c, n, w) is 0, the
//! mean IS q + c: the radius is 0, and one rounding decides a tie. c gets there by one more step of
//! the division. For a narrower result m is the mean where H is all of the sum and fma(-m, n, H) is 0;
//! and it is if the mean has 53 bits at all.
//!
//! A zero is exact in the same way, and +0.0: T1 - A1 is +0.0 if T1 is A1, and so is all that
//! follows. Where low parts were rounded (copies), a sum of 0 says nothing: the radius may underflow
//! to 0 with it. Where only the ends are 0, one of them has a sign, or is not 0.

use crate::element::Float;
use crate::format::Format;
use crate::tile::{bits, load_one, power, Plan, Shape, A1, DROPPED, MOST, MOVED, T1, T2, UPPER};
use fearless_simd::{prelude::*, Simd};

/// Below it, subnormal numbers could come up.
const TINY: f64 = f64::from_bits((1023 - 850) << 52);

/// `W` vectors of means, as float64 and where they are proved, into as many encodings, and a bit for each
/// that is not.
#[inline(always)]
pub(crate) fn certify<S: Simd, E: Float, const W: usize>(
    means: &mut [u64],
    mean: impl Fn(usize) -> (S::f64s, S::mask64s),
) -> u64 {
    let len = S::f64s::LEN;
    let means = &mut means[..W * len];
    let mut open = 0;
    let mut lanes = [0.0; MOST];
    for (i, lanes) in lanes.chunks_exact_mut(len).take(W).enumerate() {
        let (mean, proved) = mean(i);
        open |= (!proved.to_bitmask() & ((1 << len) - 1)) << (i * len);
        mean.store_slice(lanes);
    }
    // (All at once: vectors, where the conversion has an instruction.)
    for (mean, &lane) in means.iter_mut().zip(&lanes) {
        *mean = rounded::<E>(lane).to_bits();
    }
    open
}

/// The sums of a vector of columns as the windows hold them.
pub(crate) struct Parts<S: Simd> {
    upper: S::f64s,
    pub high: S::f64s,
    pub low: S::f64s,
    /// What may have been dropped, and half a unit; 0 if nothing was.
    bound: S::f64s,
    half_unit: S::f64s,
}

impl<S: Simd> Parts<S> {
    /// Vector `i` of a group's, of which each lane has so many elements.
    #[inline(always)]
    pub fn of<const W: usize, const FLAG: bool, const TWO: bool>(
        simd: S,
        state: &[f64],
        i: usize,
        plan: &Plan,
        count: S::f64s,
    ) -> Self {
        let splat = |x: f64| S::f64s::splat(simd, x);
        let at = |slot: usize| load_one::<S, W>(simd, state, slot, i);
        let zero = splat(0.0);
        let a1 = at(A1);
        let half_unit = power(simd, a1) * splat(plan.half_unit);
        let mut exact = a1.simd_eq(splat(plan.lowest));
        if FLAG {
            exact |= load_one::<S, W>(simd, state, DROPPED, 0).simd_eq(zero);
        }
        Self {
            upper: if plan.carries { at(UPPER) } else { zero },
            high: at(T1) - a1,
            low: if TWO { at(T2) - a1 * splat(plan.a2_of_a1) } else { zero },
            bound: exact.select(zero, (at(MOVED) + count + splat(1.0)) * half_unit),
            half_unit,
        }
    }

    /// Their sum. `carries`: whether there is an `upper`; `two`: whether there is a low part.
    #[inline(always)]
    pub fn total(self, carries: bool, two: bool) -> Total<S> {
        let Self { upper, mut high, mut low, bound, half_unit } = self;
        let mut noise = upper; // which is 0
        if carries {
            let rest;
            (high, rest) = two_sum::<S>(upper, high);
            low += rest;
            noise = low.abs();
        }
        // (Where there is no low part the compiler could not know that TwoSum does nothing.)
        if carries || two {
            (high, low) = fast_two_sum::<S>(high, low);
        }
        Total { high, low, doubt: Some(Doubt { noise, bound, half_unit }) }
    }
}

/// A vector of sums: `high` + `low`, of which `high` is the rounding; exactly, or to within a doubt.
pub(crate) struct Total<S: Simd> {
    pub high: S::f64s,
    pub low: S::f64s,
    pub doubt: Option<Doubt<S>>,
}

/// What sums are known to: `noise` * 2^-53 and `bound`.
pub(crate) struct Doubt<S: Simd> {
    pub noise: S::f64s,
    /// What may have been dropped, and half a unit; 0 if nothing was.
    pub bound: S::f64s,
    pub half_unit: S::f64s,
}

/// How many elements each lane has the sum of.
#[derive(Clone, Copy)]
pub(crate) struct Divisor<S: Simd> {
    n: S::f64s,
    inverse: S::f64s,
}

impl<S: Simd> Divisor<S> {
    /// As many in all.
    #[inline(always)]
    pub fn all(simd: S, n: u64) -> Self {
        Self { n: S::f64s::splat(simd, n as f64), inverse: S::f64s::splat(simd, 1.0 / n as f64) }
    }
}

impl<S: Simd> Total<S> {
    /// The mean of n elements as float64, and where it is proved. `low`: whether sums have a low part.
    #[inline(always)]
    pub fn mean<E: Float, const FLAG: bool>(
        self,
        simd: S,
        Divisor { n: divisor, inverse }: Divisor<S>,
        low: bool,
    ) -> (S::f64s, S::mask64s) {
        let splat = |x: f64| S::f64s::splat(simd, x);
        let zero = splat(0.0);
        let Self { high: h, low: l, doubt } = self;
        let q = h * inverse;
        let (size, tiny) = (q.abs(), splat(TINY));
        let mut usual = size.simd_ge(tiny) & size.simd_le(splat(f64::MAX));
        let rem = (-q).mul_add(divisor, h);
        let (w, w_error) = if low { fast_two_sum::<S>(rem, l) } else { (rem, zero) };
        let c = w * inverse;
        let mut exact = zero.simd_eq(zero);
        let mut radius = w.abs() * (splat(f64::EPSILON * 8.0) * inverse);
        if let Some(Doubt { noise, bound, half_unit }) = doubt {
            exact = bound.simd_eq(zero) & noise.simd_eq(zero);
            radius = (w.abs() + noise).mul_add(splat(f64::EPSILON * 8.0), bound) * inverse;
            usual &= half_unit.simd_ge(tiny);
        }
        let nothing = h.simd_eq(zero) & exact;
        let (low, high) = if E::PRECISION < f64::PRECISION {
            let mean = q + c;
            let mut radius = size.mul_add(splat(f64::EPSILON * 2.0), radius);
            if FLAG {
                let rest = (-mean).mul_add(divisor, h);
                let all = exact & rest.simd_eq(zero) & l.simd_eq(zero);
                radius = all.select(zero, radius);
            }
            (to_precision::<S, E>(simd, mean - radius), to_precision::<S, E>(simd, mean + radius))
        } else if FLAG {
            let refined = (-c).mul_add(divisor, w).mul_add(inverse, c);
            let rest = (-refined).mul_add(divisor, w);
            let all = exact & w_error.simd_eq(zero) & rest.simd_eq(zero);
            let (c, radius) = (all.select(refined, c), all.select(zero, radius));
            (q + (c - radius), q + (c + radius))
        } else {
            (q + (c - radius), q + (c + radius))
        };
        (low, bits::<S>(low).simd_eq(bits::<S>(high)) & (usual | nothing))
    }

    /// The same, each lane of so many elements; not where there are none.
    #[inline(always)]
    pub fn mean_of_each<E: Float, const FLAG: bool>(
        self,
        simd: S,
        n: S::f64s,
        low: bool,
    ) -> (S::f64s, S::mask64s) {
        let one = S::f64s::splat(simd, 1.0);
        let (mean, proved) = self.mean::<E, FLAG>(simd, Divisor { n, inverse: one / n }, low);
        // (Of none it is NaN, but for what a proof makes of that.)
        (mean, proved & n.simd_ge(one))
    }

    /// The same of exact sums, as `few.rs` has them, each of so many elements.
    #[inline(always)]
    pub fn mean_of_exact_each<E: Float>(
        simd: S,
        n: S::f64s,
        high: S::f64s,
        low: S::f64s,
    ) -> (S::f64s, S::mask64s) {
        if E::BINARY.is_narrow() {
            // (Of none it is NaN.)
            let mean = high / n;
            return (mean, mean.abs().simd_le(S::f64s::splat(simd, f64::MAX)));
        }
        let (high, low) = fast_two_sum::<S>(high, low);
        Self { high, low, doubt: None }.mean_of_each::<E, true>(simd, n, true)
    }

    /// The same of exact sums of few elements, in two parts, as `few.rs` or the windows have them.
    #[inline(always)]
    pub fn mean_of_exact<E: Float>(
        simd: S,
        n: u64,
        all: Divisor<S>,
        high: S::f64s,
        low: S::f64s,
    ) -> (S::f64s, S::mask64s) {
        if E::BINARY.is_narrow() {
            let mean = high / all.n;
            return (mean, mean.abs().simd_le(S::f64s::splat(simd, f64::MAX)));
        }
        if n.is_power_of_two() {
            // A single rounding. (None is infinite: no lane has left the binade of its anchor. But NaN is
            // possible, which is not proved.)
            let sum = high + low;
            let mean = sum * all.inverse;
            let normal = mean.abs().simd_ge(S::f64s::splat(simd, TINY));
            return (mean, normal | sum.simd_eq(S::f64s::splat(simd, 0.0)));
        }
        let (high, low) = fast_two_sum::<S>(high, low);
        Self { high, low, doubt: None }.mean::<E, true>(simd, all, true)
    }
}

/// The parts of all columns of a narrow table and how many elements they are of, copy after copy.
pub(crate) struct Copies {
    memory: Vec<f64>,
    /// Room for a part of all columns.
    room: usize,
    shape: Shape,
}

impl Copies {
    pub fn new(shape: Shape) -> Self {
        let room = shape.columns * shape.copies + MOST; // vectors may reach beyond
                                                        // (The last part is the count, which is read only where not all elements count.)
        let parts = 5 + usize::from(shape.counted.is_some());
        Self { memory: vec![0.0; parts * room], room, shape }
    }

    /// Keeps the parts of a vector of columns.
    #[inline(always)]
    pub fn keep<S: Simd>(&mut self, parts: Parts<S>, count: S::f64s, at: usize) {
        let Parts { upper, high, low, bound, half_unit } = parts;
        let vectors = [upper, high, low, bound, half_unit, count];
        let Shape { columns, copies, grouped, .. } = self.shape;
        for (room, vector) in self.memory.chunks_exact_mut(self.room).zip(vectors) {
            if grouped {
                let all = (at..columns * copies).zip(vector.as_slice());
                all.for_each(|(at, &part)| room[at % copies * columns + at / copies] = part);
            } else {
                vector.store_slice(&mut room[at..at + S::f64s::LEN]);
            }
        }
    }

    /// How many elements the columns of a vector have, in all copies.
    #[inline(always)]
    pub fn count<S: Simd>(&self, simd: S, column: usize) -> S::f64s {
        let Shape { columns, copies, .. } = self.shape;
        (0..copies).fold(S::f64s::splat(simd, 0.0), |count, k| {
            let from = 5 * self.room + k * columns + column;
            count + S::f64s::from_slice(simd, &self.memory[from..from + S::f64s::LEN])
        })
    }

    /// The sums of a vector of columns, over all copies: the high parts exactly, and what they leave
    /// with a rounding for each.
    #[inline(always)]
    pub fn total<S: Simd>(&self, simd: S, column: usize, carries: bool) -> Total<S> {
        let zero = S::f64s::splat(simd, 0.0);
        let mut half_unit = S::f64s::splat(simd, f64::MAX);
        let [mut high, mut low, mut noise, mut bound] = [zero; 4];
        let Shape { columns, copies, .. } = self.shape;
        for k in 0..copies {
            let at = |part: usize| {
                let from = part * self.room + k * columns + column;
                S::f64s::from_slice(simd, &self.memory[from..from + S::f64s::LEN])
            };
            let mut rest = at(2);
            noise += rest.abs();
            low += rest;
            if carries {
                (high, rest) = two_sum::<S>(high, at(0));
                noise += rest.abs();
                low += rest;
            }
            (high, rest) = two_sum::<S>(high, at(1));
            noise += rest.abs();
            low += rest;
            bound += at(3);
            half_unit = half_unit.min(at(4));
        }
        let noise = noise * S::f64s::splat(simd, copies as f64);
        (high, low) = two_sum::<S>(high, low);
        Total { high, low, doubt: Some(Doubt { noise, bound, half_unit }) }
    }
}

/// a + b as its rounding and the error of it (Knuth).
#[inline(always)]
fn two_sum<S: Simd>(a: S::f64s, b: S::f64s) -> (S::f64s, S::f64s) {
    let sum = a + b;
    let b_part = sum - a;
    (sum, (a - (sum - b_part)) + (b - b_part))
}

/// The same where a is a multiple of ulp(b): half the operations (Dekker's FastTwoSum; Rump, Ogita,
/// Oishi, "Accurate floating-point summation, part I", 2008).
#[inline(always)]
pub(crate) fn fast_two_sum<S: Simd>(a: S::f64s, b: S::f64s) -> (S::f64s, S::f64s) {
    let sum = a + b;
    (sum, b - (sum - a))
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

/// Rounds to `E`; infinity where it is too large.
#[inline(always)]
fn rounded<E: Float>(x: f64) -> E {
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
            E::from_bits(E::BINARY.round(
                significand < 0,
                significand.unsigned_abs() << up,
                exponent,
            ))
        }
    }
}
