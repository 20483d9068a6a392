//! Integers, truth values and times: their sum is exact in 128 bits.
//!
//! The loops are plain: compilers make vectors of them, at the instructions of the level that they
//! are compiled for.

use crate::element::Element;
use crate::environment;
use crate::far::{for_groups, Course, CACHE_LINE};
use crate::format::Binary;
use crate::level::vectorize;
use crate::quotient::round_mean;
use crate::runs::Runs;
use crate::source::Counted;
use crate::tile::{Remaining, Rows, Shape, ROWS, TILE};
use fearless_simd::{dispatch, prelude::*, Level, Simd};
use std::convert::identity;

/// So many elements cannot overflow the partial sums of a block, of which those of 16 bits in 32 have
/// the least room.
const BLOCK: usize = 1 << 16;
/// So many bytes are asked for at once.
const BLOCK_AHEAD: usize = 1 << 10;
/// So many are read in order where the last are the first.
const SPAN: usize = 1 << 16;
/// So many halves cannot overflow an i64.
const BLOCK_OF_HALVES: usize = 1 << 30;
/// From so many elements on, loads are aligned to cache lines: a vector across two of them is two loads.
const WORTH_ALIGNING: usize = 1 << 12;

/// An element that is an integer.
trait Integer: Copy {
    /// The upper and the lower half of an integer of 64 bits: neither is 2^32 or more.
    fn halves(self) -> (i64, i64);

    /// The exact sum of at most `BLOCK` elements.
    fn sum_of_block<S: Simd>(simd: S, block: &[Self]) -> i128;
}

/// The exact sum: below 2^127 for up to 2^63 - 1 elements below 2^64.
#[inline(always)]
fn sum_at<S: Simd, E: Integer>(simd: S, data: &[E]) -> i128 {
    simd.vectorize(
        #[inline(always)]
        || sum_on(simd, Course::of(size_of_val(data)), data),
    )
}

/// The same, if all count.
#[inline(always)]
fn sum_of_all<S: Simd, E: Integer>(simd: S, data: Counted<E>) -> Option<i128> {
    let course = data.all_count().then(|| data.course())?;
    Some(simd.vectorize(
        #[inline(always)]
        || sum_on(simd, course, data.data()),
    ))
}

#[inline(always)]
fn sum_on<S: Simd, E: Integer>(simd: S, course: Course, data: &[E]) -> i128 {
    let worth = data.len() >= WORTH_ALIGNING;
    let head = if worth { data.as_ptr().align_offset(CACHE_LINE) } else { 0 };
    let (head, data) = data.split_at(head.min(data.len()));
    let block = if course.ahead.is_some() { BLOCK_AHEAD / size_of::<E>() } else { BLOCK };
    let whole = data.len() - data.len() % block;
    let mut sum = E::sum_of_block(simd, head) + E::sum_of_block(simd, &data[whole..]);
    let span = if course.from_end { block.max(SPAN / size_of::<E>()) } else { whole };
    let mut end = whole;
    while end > 0 {
        let start = end.saturating_sub(span);
        for_groups(
            course,
            data,
            None,
            start..end,
            block,
            #[inline(always)]
            |block, _| sum += E::sum_of_block(simd, block),
        );
        end = start;
    }
    sum
}

/// The exact sum, and how many elements of it count.
fn sum_of_runs<E: Integer>(level: Level, runs: &mut dyn Runs<E>) -> (i128, u64) {
    let mut sum = 0;
    while let Some(run) = runs.next_run() {
        sum += dispatch!(level, simd => sum_at(simd, run));
    }
    (sum, runs.count())
}

/// The means of the columns of a table, each by its exact sum, of how many elements, and whether one is missing.
fn means_of_sums<E: Integer + Element>(
    level: Level,
    table: &mut dyn Rows<E>,
    shape: Shape,
    means: &mut [u64],
    mean: impl Fn(i128, u64, bool) -> u64,
) -> Remaining {
    let mut found = Remaining::default();
    let put = |column, sum, n, missing| match n {
        0 => found.empty.push(column),
        _ => means[column] = mean(sum, n, missing),
    };
    if shape.counted.is_some() {
        sums_of_columns::<_, true>(level, table, shape, put);
    } else {
        sums_of_columns::<_, false>(level, table, shape, put);
    }
    found
}

/// Gives `put` each column's index, its exact sum, of how many elements, and whether one of them is missing.
fn sums_of_columns<E: Integer + Element, const COUNTED: bool>(
    level: Level,
    table: &mut dyn Rows<E>,
    shape: Shape,
    mut put: impl FnMut(usize, i128, u64, bool),
) {
    let Shape { rows, columns, copies, n, counted, .. } = shape;
    let skips = counted == Some(true);
    let wide = columns * copies;
    let most = wide.min(TILE);
    let mut missing = vec![0_u8; most];
    let mut sums = vec![0_i128; most];
    let mut left_out = vec![0_u64; if COUNTED { most } else { 0 }];
    let mut sifted = vec![E::zero(); if COUNTED { most } else { 0 }];
    for first in (0..wide).step_by(TILE) {
        let width = TILE.min(wide - first);
        let (missing, sums) = (&mut missing[..width], &mut sums[..width]);
        missing.fill(0);
        sums.fill(0);
        left_out.fill(0);
        for from in (0..rows).step_by(BLOCK_OF_HALVES) {
            let (mut high, mut low) = ([0_i64; TILE], [0_i64; TILE]);
            let mut less = [0_u32; TILE];
            let until = rows.min(from + BLOCK_OF_HALVES);
            for from in (from..until).step_by(ROWS) {
                let until = until.min(from + ROWS);
                let (high, low) = (&mut high[..width], &mut low[..width]);
                let columns = first..first + width;
                if COUNTED {
                    let (rows, masks) = table.rows_and_masks(from..until, columns);
                    vectorize(
                        level,
                        #[inline(always)]
                        || {
                            for (k, row) in rows[..until - from].iter().enumerate() {
                                let mask = masks.map(|masks| masks[k]);
                                sift_row(
                                    row,
                                    mask,
                                    skips,
                                    &mut sifted[..width],
                                    &mut less[..width],
                                );
                                add_row(&sifted[..width], high, low, missing);
                            }
                        },
                    );
                    continue;
                }
                let eight = table.rows(from..until, columns);
                vectorize(
                    level,
                    #[inline(always)]
                    || {
                        for row in &eight[..until - from] {
                            add_row(row, high, low, missing);
                        }
                    },
                );
            }
            for ((sum, &high), &low) in sums.iter_mut().zip(&high).zip(&low) {
                *sum += (i128::from(high) << 32) + i128::from(low);
            }
            if COUNTED {
                for (left_out, &less) in left_out.iter_mut().zip(&less) {
                    *left_out += u64::from(less);
                }
            }
        }
        // A narrow table's columns are in one tile, with all their copies.
        for column in first..first + width / copies {
            let places = shape.places(column).map(|place| place - first);
            let sum = places.clone().map(|at| sums[at]).sum();
            let mut n = n;
            if COUNTED {
                n -= places.clone().map(|at| left_out[at]).sum::<u64>();
            }
            put(column, sum, n, places.clone().any(|at| missing[at] != 0));
        }
    }
}

/// Copies a row, zeros for elements that do not count, and adds to how many these are in each column. (A loop of its own:
/// with the sums in it compilers make a branch of the choice.)
#[inline(always)]
fn sift_row<E: Element>(
    row: &[E],
    mask: Option<&[u8]>,
    skips: bool,
    sifted: &mut [E],
    left_out: &mut [u32],
) {
    let all = row.iter().zip(sifted).zip(left_out);
    let ones = [1; TILE];
    let mask = mask.unwrap_or(&ones);
    for (((&x, sifted), left_out), &byte) in all.zip(mask) {
        let counts = byte != 0 && !(skips && x.is_missing());
        *left_out += u32::from(!counts);
        *sifted = if counts { x } else { E::zero() };
    }
}

#[inline(always)]
fn add_row<E: Integer + Element>(row: &[E], high: &mut [i64], low: &mut [i64], missing: &mut [u8]) {
    for (((x, high), low), missing) in row.iter().zip(high).zip(low).zip(missing) {
        let (upper, lower) = x.halves();
        *high += upper;
        *low += lower;
        *missing |= u8::from(x.is_missing());
    }
}

/// Integers that one of 32 bits sums.
macro_rules! narrow {
    ($($element:ident in $wide:ident;)*) => {$(
        impl Integer for $element {
            #[inline(always)]
            fn halves(self) -> (i64, i64) {
                (0, self.into())
            }

            #[inline(always)]
            fn sum_of_block<S: Simd>(_: S, block: &[Self]) -> i128 {
                let mut sum: $wide = 0;
                for &x in block {
                    sum += $wide::from(x);
                }
                sum.into()
            }
        }
    )*};
}

narrow! {
    u8 in u32;
    i8 in i32;
    u16 in u32;
    i16 in i32;
}

impl Integer for Bool {
    #[inline(always)]
    fn halves(self) -> (i64, i64) {
        (0, (self.0 != 0).into())
    }

    /// In bytes, as long as they have room: wider ones would be four times as many.
    #[inline(always)]
    fn sum_of_block<S: Simd>(_: S, block: &[Self]) -> i128 {
        const BYTES: usize = 128;
        let mut sum = 0;
        for part in block.chunks(BYTES * usize::from(u8::MAX)) {
            let mut counts = [0_u8; BYTES];
            for some in part.chunks(BYTES) {
                for (count, Self(byte)) in counts.iter_mut().zip(some) {
                    *count += u8::from(*byte != 0);
                }
            }
            for count in counts {
                sum += u32::from(count);
            }
        }
        sum.into()
    }
}

/// The sum, of which the lowest bits are known, as many as `modulus` has, and that it is `least` or up to `modulus` more.
#[inline(always)]
fn sum_from(least: i128, low: i128, modulus: i128) -> i128 {
    least + ((low - least) & (modulus - 1))
}

/// Integers of 32 bits.
macro_rules! wide {
    ($($element:ident;)*) => {$(
        impl Integer for $element {
            #[inline(always)]
            fn halves(self) -> (i64, i64) {
                (0, self.into())
            }

            /// Three operations a vector, none of which makes it wider. The sum may wrap; that of the
            /// upper halves does not, nor would that of the lower, and so the two tell it.
            #[inline(always)]
            fn sum_of_block<S: Simd>(_: S, block: &[Self]) -> i128 {
                let (mut sum, mut upper): (Self, Self) = (0, 0);
                for &x in block {
                    sum = sum.wrapping_add(x);
                    // (A shift rounds down, so that the lower half is never negative.)
                    upper += x >> 16;
                }
                sum_from(i128::from(upper) << 16, sum.into(), 1 << 32)
            }
        }
    )*};
}

wide! {
    u32;
    i32;
}

/// Bits below the upper quarter of an integer of 64.
const BELOW_UPPER: u32 = 48;
// (So much the lower bits of a block can be together, and less.)
const _: () = assert!(BLOCK as i128 <= 1 << (64 - BELOW_UPPER));

/// Integers of 64 bits, by their value, as lanes that have as many and as lanes of half as many.
macro_rules! widest {
    ($($element:ident as $integer:ident, $lanes:ident, $halves:ident: $value:expr;)*) => {$(
        impl Integer for $element {
            #[inline(always)]
            fn halves(self) -> (i64, i64) {
                let x = $value(self);
                ((x >> 32) as i64, (x & 0xffff_ffff) as i64)
            }

            /// The same with the upper quarters, which lanes of 32 bits sum: to shift signed lanes of 64 bits
            /// AVX2 has no instruction. (What the lower ones of these lanes sum is of no use.)
            #[inline(always)]
            fn sum_of_block<S: Simd>(simd: S, block: &[Self]) -> i128 {
                let len = S::$lanes::LEN;
                let mut sums = [S::$lanes::splat(simd, 0); 4];
                let mut uppers = [S::$halves::splat(simd, 0); 4];
                let groups = block.chunks_exact(4 * len);
                let (mut sum, mut upper): ($integer, i64) = (0, 0);
                for &x in groups.remainder() {
                    let x = $value(x);
                    sum = sum.wrapping_add(x);
                    upper += (x >> BELOW_UPPER) as i64;
                }
                for group in groups {
                    for (k, some) in group.chunks_exact(len).enumerate() {
                        let x = S::$lanes::from_fn(
                            simd,
                            #[inline(always)]
                            |i| $value(some[i]),
                        );
                        sums[k] += x;
                        uppers[k] += x.bitcast::<S::$halves>() >> (BELOW_UPPER - 32);
                    }
                }
                // (Nor do the upper quarters of a whole block overflow one vector.)
                let [a, b, c, d] = sums;
                for &lane in ((a + b) + (c + d)).as_slice() {
                    sum = sum.wrapping_add(lane);
                }
                let [a, b, c, d] = uppers;
                for &lane in ((a + b) + (c + d)).bitcast::<S::$lanes>().as_slice() {
                    upper += (lane >> 32) as i64;
                }
                sum_from(i128::from(upper) << BELOW_UPPER, sum.into(), 1 << 64)
            }
        }
    )*};
}

widest! {
    u64 as u64, u64s, u32s: identity;
    i64 as i64, i64s, i32s: identity;
    // NaT counts as the value that it is: who finds one in time does not look at the sum.
    Time as i64, i64s, i32s: |Self(x)| x;
}

/// A truth value in a byte: anything but 0 is true, and counts as 1.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub struct Bool(pub u8);

macro_rules! elements {
    ($($element:ident, $zero:expr, $swap_bytes:expr;)*) => {$(
        impl Element for $element {
            type Mean = f64;

            #[inline(always)]
            fn zero() -> Self {
                $zero
            }

            #[inline(always)]
            fn swap_bytes(self) -> Self {
                $swap_bytes(self)
            }

            fn mean_bits(level: Level, data: &[Self], n: u64, format: Binary) -> u64 {
                dispatch!(level, simd => round_mean(sum_at(simd, data), 0, n, format))
            }

            fn mean_of_counted(level: Level, data: Counted<Self>, format: Binary) -> Option<u64> {
                let sum = dispatch!(level, simd => sum_of_all(simd, data))?;
                Some(round_mean(sum, 0, data.data().len() as u64, format))
            }

            fn mean_of_runs(
                level: Level,
                runs: &mut dyn Runs<Self>,
                format: Binary,
            ) -> Option<u64> {
                let (sum, n) = sum_of_runs(level, runs);
                (n > 0).then(|| round_mean(sum, 0, n, format))
            }

            fn means_of_columns(
                level: Level,
                table: &mut dyn Rows<Self>,
                shape: Shape,
                format: Binary,
                means: &mut [u64],
            ) -> Remaining {
                let quick = format == Binary::B64 && environment::is_default();
                means_of_sums(level, table, shape, means, |sum, n, _| {
                    match quotient_of_floats(sum, n) {
                        Some(mean) if quick => mean.to_bits(),
                        _ => round_mean(sum, 0, n, format),
                    }
                })
            }
        }
    )*};
}

elements! {
    Bool, Bool(0), identity;
    u8, 0, u8::swap_bytes;
    i8, 0, i8::swap_bytes;
    u16, 0, u16::swap_bytes;
    i16, 0, i16::swap_bytes;
    u32, 0, u32::swap_bytes;
    i32, 0, i32::swap_bytes;
    u64, 0, u64::swap_bytes;
    i64, 0, i64::swap_bytes;
}

/// sum / n, rounded once: where both are float64 numbers the hardware's division does that.
#[inline(always)]
fn quotient_of_floats(sum: i128, n: u64) -> Option<f64> {
    let are_floats =
        sum.unsigned_abs() <= 1 << f64::MANTISSA_DIGITS && n <= 1 << f64::MANTISSA_DIGITS;
    are_floats.then(|| sum as i64 as f64 / n as f64)
}

/// A time or a duration in integer units; the least of them is not a time (NaT).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct Time(pub i64);

impl Time {
    /// Not a time.
    pub const NAT: Self = Self(i64::MIN);
}

impl Element for Time {
    type Mean = Self;
    const MAY_BE_MISSING: bool = true;

    #[inline(always)]
    fn zero() -> Self {
        Self(0)
    }

    #[inline(always)]
    fn is_missing(self) -> bool {
        self == Self::NAT
    }

    #[inline(always)]
    fn swap_bytes(self) -> Self {
        Self(self.0.swap_bytes())
    }

    fn nothing(_: Binary) -> u64 {
        Self::NAT.0 as u64
    }

    /// To the nearest unit, ties to even; NaT where there is one.
    fn mean_bits(level: Level, data: &[Self], n: u64, _: Binary) -> u64 {
        if any_nat(level, data) {
            Self::NAT.0 as u64
        } else {
            to_nearest(dispatch!(level, simd => sum_at(simd, data)), n.into()) as u64
        }
    }

    fn mean_of_runs(level: Level, runs: &mut dyn Runs<Self>, _: Binary) -> Option<u64> {
        while let Some(run) = runs.next_run() {
            if any_nat(level, run) {
                return Some(Self::NAT.0 as u64);
            }
        }
        runs.rewind();
        let (sum, n) = sum_of_runs(level, runs);
        (n > 0).then(|| to_nearest(sum, n.into()) as u64)
    }

    fn means_of_columns(
        level: Level,
        table: &mut dyn Rows<Self>,
        shape: Shape,
        _: Binary,
        means: &mut [u64],
    ) -> Remaining {
        means_of_sums(level, table, shape, means, |sum, n, missing| {
            let mean = if missing { Self::NAT.0 } else { to_nearest(sum, n.into()) };
            mean as u64
        })
    }
}

fn any_nat(level: Level, data: &[Time]) -> bool {
    vectorize(
        level,
        #[inline(always)]
        || {
            let mut any = false;
            for x in data {
                any |= x.is_missing();
            }
            any
        },
    )
}

/// sum / n to the nearest integer, ties to even. It lies between two elements, so it fits.
fn to_nearest(sum: i128, n: i128) -> i64 {
    let (down, rest) = (sum.div_euclid(n), sum.rem_euclid(n));
    let up = rest > n - rest || (rest == n - rest && down & 1 == 1);
    (down + i128::from(up)) as i64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::far::Ahead;
    use crate::levels;
    use fearless_simd::Fallback;

    #[test]
    fn sums_are_the_same_on_each_course() {
        let data: Vec<i16> =
            (0..200_003_i32).map(|i| (i * 7919 % 65_536 - 30_000) as i16).collect();
        for n in [0, 1, 511, 512, 513, 4096, 65_535, 65_600, data.len()] {
            let data = &data[..n];
            let sum = data.iter().map(|&x| i128::from(x)).sum();
            let ahead = Some(Ahead { bytes: 2 << 10, is_far: true });
            let far = |parts| Course { parts, ahead, from_end: parts == 4 };
            let from_end = Course { from_end: true, ..Course::IN_ORDER };
            for course in [Course::IN_ORDER, from_end, far(1), far(4)] {
                let got = dispatch!(Level::new(), simd => sum_on(simd, course, data));
                assert_eq!(got, sum, "{n} elements, {course:?}");
            }
        }
    }

    #[test]
    fn bytes_that_count_do_not_overflow() {
        let data: Vec<Bool> = (0..70_000).map(|i| Bool((i % 255) as u8 + 1)).collect();
        for n in [0, 1, 127, 128, 129, 32_639, 32_640, 32_641, 65_280, 65_536, data.len()] {
            let sum = sum_on(Fallback::new(), Course::IN_ORDER, &data[..n]);
            assert_eq!(sum, n as i128);
        }
        assert_eq!(sum_at(Fallback::new(), &[Bool(0); 1000]), 0);
    }

    /// Blocks of which every lower bit is set, or none, and the upper ones are anything.
    #[test]
    fn sums_of_the_widest_are_exact() {
        for (name, level) in levels() {
            for top in [0, 1, 0x7fff, 0x8000, 0xffff] {
                for low in [0, 1, (1 << BELOW_UPPER) - 1] {
                    for n in [0, 1, 31, 32, 33, 1000, BLOCK - 1, BLOCK] {
                        let bits = top << BELOW_UPPER | low;
                        let mut data = vec![bits; n];
                        data.iter_mut().skip(n / 2).step_by(3).for_each(|x| *x = !bits);
                        let signed: Vec<_> = data.iter().map(|&x| x as i64).collect();
                        let times: Vec<_> = signed.iter().copied().map(Time).collect();
                        let sum = signed.iter().map(|&x| i128::from(x)).sum::<i128>();
                        let what = format!("{name}, {n} of {bits:x}");
                        dispatch!(level, simd => {
                            assert_eq!(i64::sum_of_block(simd, &signed), sum, "{what}");
                            assert_eq!(Time::sum_of_block(simd, &times), sum, "{what}");
                            let sum = data.iter().map(|&x| i128::from(x)).sum::<i128>();
                            assert_eq!(u64::sum_of_block(simd, &data), sum, "{what}");
                        });
                    }
                }
            }
        }
    }
}
