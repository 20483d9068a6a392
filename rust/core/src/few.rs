//! The columns of a few rows: sums that prove themselves exact, without an anchor of each column's own.
//!
//! # An addition that is exact
//!
//! Let s = RN(a + b). If RN(s - a) = b and RN(s - b) = a, then s = a + b: for |a| >= |b| the first
//! difference, and for |b| >= |a| the second, is exact (Dekker 1971; of finite numbers, without
//! overflow). The converse is plain. Whether both are the same numbers is a matter of bits, but for
//! the sign of a zero; and a number that differs in nothing but the sign would have to be b with
//! s = a - b = RN(a + b), which is no nearest number to a + b, as a is nearer, unless b is 0 (or
//! the same with a). So signs are not looked at.
//!
//! # The sum of narrow elements
//!
//! Elements of 24 bits and fewer are added in float64 lanes, and none but one of 2^-28 of the sum, or so,
//! could be rounded. What overflows, even on the way, is infinite or NaN for good, and of these no mean is
//! proved. `high` starts with +0.0 + x, so that no zero in it is negative.
//!
//! # The sum of wide elements
//!
//! That of `tile.rs`, with its exactness flag, but all columns have the same anchors, those of the groups
//! before: to find anchors and to store them costs as much as some rows. Where no lane leaves its binade
//! and nothing is dropped, S = (T1 - A1) + (T2 - A2), both exact, whatever the anchors are; and the first
//! is a multiple of u1, so also of the last bit of the second, below 2^(L-1) u1: FastTwoSum may add them.
//! Where there are no anchors they are 0, which only zeros and subnormal numbers do not leave, and their sums
//! are exact. (Means so small are not proved by them.)
//!
//! A group that is not so gets anchors of its own, for its maximum. If they drop something the columns of
//! the group have too many scales; then, and where no mean is proved, the group goes to `tile.rs`.
//!
//! For more rows than a block's this is slower than the anchors, which cost once what a row costs here.

use crate::element::Float;
use crate::far::Early;
use crate::format::Format;
use crate::tile::{any, bits, largest, Lanes, Plan};
use fearless_simd::{prelude::*, Simd};

/// How many groups' own anchors may fail them before it is no longer tried.
const PATIENCE: u32 = 16;

/// What one group leaves to the next.
pub(crate) struct Few {
    a1: f64,
    patience: u32,
}

impl Few {
    pub fn new() -> Self {
        Self { a1: 0.0, patience: PATIENCE }
    }

    /// The exact sums of a group's columns, high and low parts; `None` where that is not proved. `narrow`:
    /// whether elements have 24 bits or fewer.
    #[inline(always)]
    pub fn sums<S: Simd, E: Float, const W: usize>(
        &mut self,
        simd: S,
        narrow: bool,
        plan: &Plan,
        rows: &[&[E]],
        early: Early<E>,
        at: usize,
    ) -> Option<[[S::f64s; W]; 2]> {
        if narrow {
            return narrow_sums::<S, E, W>(simd, plan.one, rows, early, at);
        }
        if self.patience == 0 {
            return None;
        }
        let sums = wide_sums::<S, E, W>(simd, plan, self.a1, rows, early, at);
        if sums.is_some() {
            return sums;
        }
        let mut max = S::f64s::splat(simd, 0.0);
        for x in largest::<S, E, W>(simd, rows, at) {
            max = max.max(x);
        }
        let power = f64::from_bits(max.reduce_max().to_bits() & f64::INFINITY.to_bits());
        let a1 = (power * plan.a1_of_power).max(plan.lowest);
        self.a1 = if a1.is_finite() { a1 } else { 0.0 };
        let sums = wide_sums::<S, E, W>(simd, plan, self.a1, rows, Early::Nothing, at);
        self.patience -= u32::from(sums.is_none());
        sums
    }
}

#[inline(always)]
fn wide_sums<S: Simd, E: Float, const W: usize>(
    simd: S,
    plan: &Plan,
    a1: f64,
    rows: &[&[E]],
    early: Early<E>,
    at: usize,
) -> Option<[[S::f64s; W]; 2]> {
    let [a1, a2] = [a1, a1 * plan.a2_of_a1].map(|anchor| S::f64s::splat(simd, anchor));
    let mut lanes = Lanes::<S, W>::new(simd, plan.one, [a1; W], [a2; W]);
    let passed = lanes.add::<E, true, true>(simd, rows.iter().copied(), early, at);
    let exact = passed && !any::<S>(lanes.dropped);
    let (mut high, mut low) = (lanes.t1, lanes.t2);
    for (high, low) in high.iter_mut().zip(&mut low) {
        *high -= a1;
        *low -= a2;
    }
    exact.then_some([high, low])
}

#[inline(always)]
fn narrow_sums<S: Simd, E: Float, const W: usize>(
    simd: S,
    one: f64,
    rows: &[&[E]],
    early: Early<E>,
    at: usize,
) -> Option<[[S::f64s; W]; 2]> {
    let zero = S::f64s::splat(simd, 0.0);
    let one = S::f64s::splat(simd, one);
    let (first, others) = rows.split_first()?;
    let end = at + W * S::f64s::LEN;
    early.ask_in(first, at..end);
    let mut high = E::load_some::<S, W>(simd, &first[at..end]);
    for high in &mut high {
        *high += zero;
    }
    let mut changed = S::u64s::splat(simd, 0);
    early.for_rows(
        others.iter().copied(),
        at..end,
        #[inline(always)]
        |row| {
            for (high, x) in high.iter_mut().zip(E::load_some::<S, W>(simd, &row[at..end])) {
                *high = add::<S>(*high, x, one, &mut changed);
            }
        },
    );
    let same = !any::<S>(changed & S::u64s::splat(simd, !<f64 as Format>::SIGN));
    same.then_some([high, [zero; W]])
}

/// a + b, and bits in `changed`, besides the sign, where that is rounded.
#[inline(always)]
fn add<S: Simd>(a: S::f64s, b: S::f64s, one: S::f64s, changed: &mut S::u64s) -> S::f64s {
    let sum = a + b;
    *changed |= bits::<S>(sum.mul_sub(one, a)) ^ bits::<S>(b);
    *changed |= bits::<S>(sum - b) ^ bits::<S>(a);
    sum
}
