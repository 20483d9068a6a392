//! The means of runs of equal length, each summed along in lanes, and certified side by side.
//!
//! # The arithmetic, and why it is exact
//!
//! A step is that of `tile.rs`, but all lanes, or all of a part, have the same anchors, A1 = (3/2 + 1/16) 2^E and
//! A2 = 3/2 * 2^(E-52+L), where n < 2^L. The grids are u1 = 2^(E-52) and u2 = 2^(L-52) u1. The test is
//! narrower than the binade: t has A1's sign and exponent, and its TOP = 3 leading bits of the
//! fraction, so it is in [3/2, 13/8) 2^E, and a lane ends with |T1 - A1| <= 2^(E-4).
//!
//! - The lanes, at most MOST = 32, add up to at most 2^(E+1) = 2^53 u1, and are multiples of u1: a
//!   plain sum of them, or of every other one, is exact in any order.
//! - Each |r| is at most u1 / 2, a multiple of u2, so also what is left of it when it is rounded to
//!   u2. All n of them are less than 2^(L-1) u1 = 2^51 u2: T2 stays in its binade, untested, and the
//!   plain sum of all T2 - A2 is exact, too.
//! - So a row's sum is known but for half a unit of the last grid for each element; exactly, where
//!   that grid is the smallest subnormal's. (The zeros of a tail drop nothing.)
//!
//! # The anchors
//!
//! A row takes the anchors of the row before it, whatever they are. If a lane leaves its place, the
//! row gets anchors of its own and is summed again. Let its magnitudes be below 2^(e+1), and a lane
//! take fewer than 2^s steps: with E >= e + s + 2 + TOP + 1 it goes less than
//! 2^s (2^(e+1) + u1 / 2) <= 2^(E-4) from A1, and the row passes, unless it holds what is not finite:
//! that is a NaN in the end, here or by the anchors, and no NaN is certified. It also gets its own if
//! the sum is small against what the old ones may have dropped, which says nothing of its correctness.

use crate::element::Float;
use crate::exact::Specials;
use crate::far::{fetch, Ahead};
use crate::finish::{certify, fast_two_sum, Divisor, Doubt, Total};
use crate::level::has_fma;
use crate::source::{Counted, Source};
use crate::tile::{any, power_of_two, Lanes, Remaining, MOST, PLACE};
use fearless_simd::{dispatch, prelude::*, Level, Simd};
use std::borrow::Cow;
use std::hint::black_box;
use std::ops::Range;

/// Rows of fewer elements are not a group; and up to 1 / n of the means are exact ties, which are open.
const SHORTEST: usize = MOST;
/// In longer rows what is dropped opens too many means of float32, if their elements cancel: of these one in a hundred.
const LONGEST: usize = 1 << 12;
/// Leading bits of the fraction that a lane keeps.
const TOP: i32 = 3;
const _: () = assert!((MOST as u64) << (52 - TOP - 1) <= 1 << 53);
/// A sum within 2^(precision + SPARE) of what may have been dropped is taken again at anchors of its
/// own: one mean in 2^SPARE would be open.
const SPARE: i32 = 4;

/// Whether there is a kernel for rows of this length.
pub(crate) fn takes(level: Level, n: usize) -> bool {
    (SHORTEST..=LONGEST).contains(&n) && dispatch!(level, simd => has_fma(simd))
}

/// The encodings of the means of rows of `n` elements each, and which have none: theirs are unspecified. Of `parts`
/// that take turns in a row, at most two, each has a mean, one after the other. `rows` fills in some rows, from an index
/// on; those that come from far are asked for early. Either all of them have a mask or skip what is missing, or none.
///
/// The floating-point environment is taken to be the default one.
pub(crate) fn means_of_rows<'a, E: Float + 'a>(
    level: Level,
    [n, parts]: [usize; 2],
    rows: &dyn Fn(usize, &mut [Counted<'a, E>]),
    ahead: Option<Ahead>,
    means: &mut [u64],
) -> Remaining {
    assert!(takes(level, n) && (1..=2).contains(&parts) && n % parts == 0);
    let mut first = [Counted::default(); 1];
    rows(0, &mut first[..means.len().min(1)]);
    let all_count = first[0].all_count();
    dispatch!(level, simd => match (all_count, E::BINARY.is_narrow()) {
        (true, true) => means_by::<_, E, &[E], false>(simd, [n, parts], rows, ahead, means),
        (true, false) => means_by::<_, E, &[E], true>(simd, [n, parts], rows, ahead, means),
        (false, true) => means_by::<_, E, Counted<E>, false>(simd, [n, parts], rows, ahead, means),
        (false, false) => means_by::<_, E, Counted<E>, true>(simd, [n, parts], rows, ahead, means),
    })
}

/// A row as the kernel reads it.
trait Row<'a, E: Float>: Source<E> {
    const COUNTED: bool;

    fn new(row: Counted<'a, E>) -> Self;

    /// A group from an element on, zeros for those that do not count, and how many these are.
    fn group<S: Simd>(self, simd: S, from: usize) -> ([S::f64s; 4], u64);

    /// All of it, zeros for those that do not count.
    fn elements(&self) -> Cow<'_, [E]>;
}

impl<'a, E: Float> Row<'a, E> for &'a [E] {
    const COUNTED: bool = false;

    #[inline(always)]
    fn new(row: Counted<'a, E>) -> Self {
        debug_assert!(row.all_count());
        row.data()
    }

    #[inline(always)]
    fn group<S: Simd>(self, simd: S, from: usize) -> ([S::f64s; 4], u64) {
        (E::load(simd, &self[from..from + 4 * S::f64s::LEN]), 0)
    }

    #[inline(always)]
    fn elements(&self) -> Cow<'_, [E]> {
        Cow::Borrowed(self)
    }
}

impl<'a, E: Float> Row<'a, E> for Counted<'a, E> {
    const COUNTED: bool = true;

    #[inline(always)]
    fn new(row: Counted<'a, E>) -> Self {
        row
    }

    #[inline(always)]
    fn group<S: Simd>(self, simd: S, from: usize) -> ([S::f64s; 4], u64) {
        self.group::<S, f64>(simd, from)
    }

    #[inline(always)]
    fn elements(&self) -> Cow<'_, [E]> {
        Cow::Owned(self.to_vec())
    }
}

#[inline(always)]
fn means_by<'a, S: Simd, E: Float + 'a, R: Row<'a, E>, const TWO: bool>(
    simd: S,
    [n, parts]: [usize; 2],
    rows: &dyn Fn(usize, &mut [Counted<'a, E>]),
    ahead: Option<Ahead>,
    means: &mut [u64],
) -> Remaining {
    let len = S::f64s::LEN;
    let of_part = (n / parts) as u64;
    let all = Divisor::<S>::all(simd, of_part);
    let mut anchors: Option<Anchors<S>> = None;
    let mut found = Remaining::default();
    let [mut high, mut low, mut bound, mut half_unit, mut counts] = [[0.0; MOST]; 5];
    let mut batch = [Counted::default(); 2 * MOST];
    // So many rows on is what is asked for.
    let on = ahead.map(|ahead| (ahead.bytes / (n * size_of::<E>())).clamp(1, 4 * len));
    let count = means.len() / parts;
    for (index, means) in means.chunks_mut(4 * len).enumerate() {
        let (first, some) = (index * 4 * len, means.len() / parts);
        let first_row = first / parts;
        let there = count.min(first_row + some + on.unwrap_or(0)) - first_row;
        let batch = &mut batch[..there];
        rows(first_row, batch);
        for (i, row) in batch[..some].iter().enumerate() {
            let row = R::new(*row);
            assert!(row.len() == n);
            let next = on.and_then(|on| batch.get(i + on)).zip(ahead);
            let mut sum = anchors.and_then(
                #[inline(always)]
                |anchors| match next {
                    None => anchors.sum::<E, R, TWO>(simd, row, parts, true, |_| ()),
                    Some((next, Ahead { is_far, .. })) => {
                        anchors.sum::<E, R, TWO>(simd, row, parts, true, |group| {
                            fetch(next.data(), group, is_far);
                        })
                    }
                },
            );
            if sum.is_none() {
                let own = simd.vectorize(
                    #[inline(always)]
                    || Anchors::of::<E, TWO>(simd, row.elements(), parts),
                );
                sum = own.and_then(
                    #[inline(always)]
                    |own| own.sum::<E, R, TWO>(simd, row, parts, false, |_| ()),
                );
                // (One that has none, and is open, leaves the next row the last one's.)
                anchors = own.or(anchors);
            }
            // (A NaN leaves the mean open.)
            let (highs, lows, left_out) = sum.unwrap_or(([f64::NAN; 2], [0.0; 2], 0));
            for (part, i) in (i * parts..(i + 1) * parts).enumerate() {
                (high[i], low[i]) = (highs[part], lows[part]);
                counts[i] = (of_part - left_out) as f64;
                (bound[i], half_unit[i]) = anchors
                    .map_or((0.0, 0.0), |Anchors { grids, .. }| {
                        (grids[part].bound, grids[part].half_unit)
                    });
            }
        }
        let mut proved = [0; MOST];
        let mut open = certify::<S, E, 4>(
            &mut proved,
            #[inline(always)]
            |i| {
                let at = |lanes: &[f64; MOST]| S::f64s::from_slice(simd, &lanes[i * len..][..len]);
                let (mut high, mut low) = (at(&high), at(&low));
                if TWO {
                    (high, low) = fast_two_sum::<S>(high, low);
                }
                let (noise, bound) = (S::f64s::splat(simd, 0.0), at(&bound));
                let doubt = Some(Doubt { noise, bound, half_unit: at(&half_unit) });
                let total = Total::<S> { high, low, doubt };
                if R::COUNTED {
                    total.mean_of_each::<E, false>(simd, at(&counts), TWO)
                } else {
                    total.mean::<E, false>(simd, all, TWO)
                }
            },
        );
        means.copy_from_slice(&proved[..means.len()]);
        open &= !(u64::MAX << means.len());
        while open != 0 {
            let i = open.trailing_zeros() as usize;
            open &= open - 1;
            if R::COUNTED && counts[i] == 0.0 {
                found.empty.push(first + i);
                continue;
            }
            let specials = simd.vectorize(
                #[inline(always)]
                || {
                    let row = R::new(batch[i / parts]);
                    Specials::of(&part_of(row.elements(), i % parts, parts))
                },
            );
            if specials.any() {
                means[i] = specials.mean(E::BINARY);
            } else {
                found.open.push(first + i);
            }
        }
    }
    found
}

/// One of the parts that take turns in a row.
#[inline(always)]
fn part_of<E: Copy>(all: Cow<[E]>, part: usize, parts: usize) -> Cow<[E]> {
    if parts == 1 {
        all
    } else {
        all.iter().skip(part).step_by(parts).copied().collect()
    }
}

/// The anchors of a row: of its parts in turn, which have scales of their own.
#[derive(Clone, Copy)]
struct Anchors<S: Simd> {
    a1: S::f64s,
    a2: S::f64s,
    /// Of each part; of one the same twice.
    grids: [Grid; 2],
}

/// The anchors of a part.
#[derive(Clone, Copy)]
struct Grid {
    a1: f64,
    a2: f64,
    /// What may be dropped, and half a unit; 0 if nothing is.
    bound: f64,
    /// Half the last grid; 0 where that is the smallest subnormal.
    half_unit: f64,
    /// Sums from here on are worth having.
    least: f64,
    /// A 1 that the compiler does not know.
    one: f64,
}

impl Grid {
    /// For this part of a row; NaN where it has none.
    #[inline(always)]
    fn of<S: Simd, E: Float, const TWO: bool>(data: &[E], parts: usize) -> Self {
        let n = data.len();
        let bits_of = |count: usize| (usize::BITS - count.leading_zeros()) as i32;
        let (l, s) = (bits_of(n), bits_of((parts * n).div_ceil(4 * S::f64s::LEN)));
        let second = if TWO { 52 - l } else { 0 };
        let max = data.iter().fold(0, |max, x| x.magnitude_bits().max(max));
        let (significand, shift) = E::from_bits(max).decode();
        let largest = E::MIN_EXPONENT + shift as i32 + significand.max(1).ilog2() as i32;
        let lowest = E::MIN_EXPONENT + 52 + second;
        let exponent = lowest.max(largest + s + 2 + TOP + 1);
        let (power, half_unit) = if max < E::INFINITY && exponent <= 1022 {
            // (This may underflow: to 0 at the lowest grid alone.)
            (power_of_two(exponent), power_of_two(exponent) * power_of_two(-53 - second))
        } else {
            (f64::NAN, 0.0)
        };
        let bound = if exponent == lowest { 0.0 } else { (n + 1) as f64 * half_unit };
        Self {
            a1: (1.5 + 0.5_f64.powi(TOP + 1)) * power,
            a2: 1.5 * power * power_of_two(l - 52),
            bound,
            half_unit,
            least: bound * power_of_two(E::PRECISION as i32 + SPARE),
            one: black_box(1.0),
        }
    }
}

impl<S: Simd> Anchors<S> {
    /// For this row, if it has any.
    #[inline(always)]
    fn of<E: Float, const TWO: bool>(simd: S, all: Cow<[E]>, parts: usize) -> Option<Self> {
        let first = Grid::of::<S, E, TWO>(&part_of(Cow::Borrowed(&all), 0, parts), parts);
        let mut grids = [first; 2];
        if parts == 2 {
            grids[1] = Grid::of::<S, E, TWO>(&part_of(all, 1, parts), parts);
        }
        let in_turn = |anchors: [f64; 2]| {
            let lanes: [f64; MOST] = std::array::from_fn(|i| anchors[i % 2]);
            S::f64s::from_slice(simd, &lanes[..S::f64s::LEN])
        };
        let has_all = grids.iter().all(|grid| !grid.a1.is_nan());
        has_all.then(|| {
            let [a1, a2] = [grids.map(|grid| grid.a1), grids.map(|grid| grid.a2)].map(in_turn);
            Self { a1, a2, grids }
        })
    }

    /// The sum of a row or of each of its parts, its high and its low half, and of how many elements it is not; `None`
    /// where a lane leaves its place, or, if that is asked, a sum is not `worth` having.
    #[inline(always)]
    fn sum<'a, E: Float, R: Row<'a, E>, const TWO: bool>(
        self,
        simd: S,
        row: R,
        parts: usize,
        worth: bool,
        ask: impl Fn(Range<usize>),
    ) -> Option<([f64; 2], [f64; 2], u64)> {
        let (group, n) = (4 * S::f64s::LEN, row.len());
        let Self { a1, a2, grids } = self;
        let mut lanes = Lanes::<S, 4>::new(simd, grids[0].one, [a1; 4], [a2; 4]);
        let (whole, mut left_out) = (n - n % group, 0);
        for at in (0..whole).step_by(group) {
            ask(at..at + group);
            let (x, some) = row.group(simd, at);
            left_out += some;
            lanes.step::<false, TWO>(simd, x);
        }
        if whole < n {
            ask(whole..n);
            let (x, some) = row.part::<S, f64>(simd, whole..n);
            left_out += some;
            lanes.step::<false, TWO>(simd, x);
        }
        let place = PLACE | ((1 << TOP) - 1) << (52 - TOP);
        if any::<S>(lanes.seen & S::u64s::splat(simd, place)) {
            return None;
        }
        let high = all::<S>(lanes.t1, a1, parts);
        // (So that nobody waits for the low part, but the row's mean. Of no element 0 is all there is to know.)
        let is_enough = high.iter().zip(&grids).all(|(high, grid)| high.abs() >= grid.least);
        (!worth || is_enough || left_out == n as u64).then(
            #[inline(always)]
            || (high, if TWO { all::<S>(lanes.t2, a2, parts) } else { [0.0; 2] }, left_out),
        )
    }
}

/// What all lanes hold, or those of each part.
#[inline(always)]
fn all<S: Simd>([a, b, c, d]: [S::f64s; 4], anchor: S::f64s, parts: usize) -> [f64; 2] {
    let four = ((a - anchor) + (b - anchor)) + ((c - anchor) + (d - anchor));
    if parts == 1 {
        return [four.reduce_sum(); 2];
    }
    four.as_slice().chunks_exact(2).fold([0.0; 2], |[x, y], pair| [x + pair[0], y + pair[1]])
}
