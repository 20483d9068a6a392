//! Many means at once: the columns of a table, in tiles that stay in cache.
//!
//! # The arithmetic, and why it is exact
//!
//! That of `window.rs`, with a lane for each column instead of many lanes for one sum, and no
//! scale. A column has its own anchor A1 = 1.5 * 2^E, for columns of a table have scales of their
//! own, and a second one A2 = 2^(L-52) A1; u1 = 2^(E-52) and u2 = 2^(L-52) u1 are their grids. A step
//! is
//!
//! ```text
//! t = RN(T1 + x)    d = T1 - t    r = x + d    T1 = t    T2 = RN(T2 + r)
//! ```
//!
//! and is exact but for at most u2 / 2 (with one window u1 / 2, which is r) if t is in the binade
//! of T1, whatever x is. `seen |= bits(t) ^ bits(T1)` against sign and exponent says so of every
//! step: the sign too, for x = -2.7 * 2^E keeps the exponent. NaN and inf have another exponent.
//!
//! With the exactness flag a step tells whether u - T2 is r, u being the new T2, or with one window whether
//! r is 0. Lanes share that flag, vector by vector of a group: what one drops, all are taken to drop.
//!
//! A step drops nothing where u2 (u1) is the smallest subnormal's, 2^UNIT: so a column of zeros is
//! exact, at the lowest anchor, whose grid that is; and at any, by the flag.
//!
//! # A block
//!
//! A block is ROWS rows of a group of vectors (four; or one); or those that are left. Where a lane
//! leaves its binade in it, nothing of the block is stored: those lanes are anchored anew, and the block is
//! run again.
//!
//! Let 2^(E-1-L) be above all |x| of the block, and E above the lane's last one, E0. What the lane
//! held goes into the new windows as elements: h = T1 - A1 and l = T2 - A2, both exact in the old
//! binades, and a rest of `upper` (below). |h| <= 2^(E0-1) <= 2^(E-2), l and the rest are below
//! 2^(E-26), and the block adds less than 8 * 2^(E-1-L) <= 2^(E-3), since L >= 5: the block passes,
//! unless it holds a NaN or an infinity. (The first anchors are found in the same way, from the first
//! rows, E0 being the lowest; or from some of them, or other columns: any may be the first.) Each of the
//! three drops at most u2 / 2 of the NEW grid, and what was dropped before is less in units of that grid:
//! so a column's bound is half a unit for each row and three for each new anchor. Where there is no anchor
//! (E > 1022, or 996 where there is an `upper`; infinities) it is NaN, for good, and so is all that follows: the
//! column is open. A NaN makes T1 NaN by itself, and nothing else does where there is an anchor. No NaN fails the
//! test again, for its exponent and, as a rule, its sign stay the same.
//!
//! # Headroom
//!
//! T2 takes at most |r| <= u1 / 2 a step, fewer than 2^L steps: it stays within 2^(E2-1) of A2,
//! untested. So after at most 2^L - 8 rows (a segment; with what starts it and a new anchor's three,
//! fewer than 2^L) every column carries:
//!
//! - T1 keeps its low 26 bits; the rest, c = (T1 without them) - A1, a multiple of 2^26 u1, moves to
//!   `upper`. |c| <= 2^(E-1) = 2^25 * 2^26 u1, so up to 2^26 carries stay below 2^51 * 2^26 u1:
//!   exact. With MOST_ROWS and L >= 8 there are fewer.
//! - T2 gives its multiple of u1 to T1, and starts within u1 / 2 of A2, like after one step.
//!
//! A new anchor takes from `upper`, below 2^51 * 2^26 u1, its multiple of the new 2^26 u1 by an
//! addition to 1.5 * 2^(E+26), exactly; the rest is the third element.
//!
//! A column's total in units of u2, at most 2^26 * 2^51 * 2^(52-L), fits an i128 for L >= 2; where
//! there are carries, L >= 8.

use crate::certificate::Bounded;
use crate::element::Float;
use crate::far::{Early, Reading, CACHE_LINE};
use crate::few::Few;
use crate::finish::{certify, Copies, Divisor, Parts, Total};
use crate::format::{Binary, Format};
use crate::lane;
use crate::level::has_fma;
use crate::sift;
use fearless_simd::{dispatch, prelude::*, Level, Simd};
use std::hint::black_box;
use std::ops::Range;

/// Rows are asked for by so many.
pub const ROWS: usize = 8;
/// Columns are asked for by so many, as a rule (see [`Reading`]).
pub const TILE: usize = 1024;
/// More rows than any array has, and than `upper` is sure to hold.
pub const MOST_ROWS: u64 = 1 << 32;
/// The most columns in a group: 4 vectors of 512 bits.
pub(crate) const MOST: usize = 32;
/// With so many elements in a column or fewer, what is dropped is looked at: exact ties come once in
/// n columns of random data, and to open a column costs more than to decide it.
const FEW: u64 = 64;
/// The same with two windows, as rows are read on Intel from far ([`Reading::Long`]; elsewhere it is not measured): to
/// look costs nothing then, and to open a column is to wait for as many cache lines as it has elements.
const FEW_OF_LONG: u64 = 512;
// (So they carry nothing.)
const _: () = assert!(FEW_OF_LONG < (1 << 13) - ROWS as u64);
/// Of so few elements ([`FEW`]) so many columns are read in one go, where more are else ([`Reading::Long`]): what is done
/// before and after the sums is much, and the memory idle meanwhile.
const TILE_OF_FEW: usize = 2 * TILE;
// (What not all counts of is read TILE columns at once, whatever their number.)
const _: () = assert!(TILE_OF_FEW >= TILE);
/// A narrow table is not made wider than leaves so many rows: to add up a column's copies costs as
/// much as some rows.
pub const WORTH_A_COPY: usize = 32;
/// How wide it is made, if that leaves so many rows. (A group is to be filled; some more hide what each of them
/// waits for; and where there is much to read it comes best in long rows.)
const WIDE: [(usize, usize); 4] = [(MOST, WORTH_A_COPY), (128, 128), (512, 256), (TILE, 512)];
/// In a table of few elements a column ([`FEW`]), two rows tell the anchors, if they are not zeros, 2^SLACK higher: a second
/// look at all of the first block costs up to a tenth. (Where not all count, they often are.)
const SLACK: i32 = 4;
/// In a tile of fewer groups one more costs what alignment spares.
const WORTH_ALIGNING: usize = 8;

/// A table that the kernel reads, some rows and columns at a time, and some of them twice.
pub trait Rows<E> {
    /// `rows` (at most [`ROWS`]) in `columns` (at most [`Reading::tile`]), each as long as `columns`; what
    /// follows them in the array is not read.
    fn rows(&mut self, rows: Range<usize>, columns: Range<usize>) -> [&[E]; ROWS];

    /// The same, perhaps in one, or longer than `columns`. Which of its rows these are is for the table to say: it is
    /// asked for the first [`ROWS`], then for the next, at last for those that are left, and each is to come once. (Where
    /// rows are read [`Reading::Far`], [`Rows::rows_and_next`] is asked instead.)
    fn lines(&mut self, rows: Range<usize>, columns: Range<usize>) -> Lines<'_, E> {
        Lines::Apart(self.rows(rows, columns))
    }

    /// What a table before worked in, of any length, with anything in it: it need not be zeros again.
    fn take_memory(&mut self) -> Vec<f64> {
        vec![]
    }

    /// For a table to come.
    fn keep_memory(&mut self, _memory: Vec<f64>) {}

    /// [`Rows::rows`], and a truth value for each element, 0 where it does not count; or none where it is not for a
    /// mask to say.
    fn rows_and_masks(
        &mut self,
        rows: Range<usize>,
        columns: Range<usize>,
    ) -> ([&[E]; ROWS], Option<[&[u8]; ROWS]>) {
        (self.rows(rows, columns), None)
    }

    /// How rows are to be read: far ones by [`Rows::rows_and_next`].
    fn reading(&self) -> Reading {
        Reading::Near
    }

    /// [`Rows::rows`], and those that are to be `next`, so that they are fetched meanwhile (without them:
    /// those of the next table, as many columns); or nothing (empty) where there are none.
    fn rows_and_next(
        &mut self,
        [rows, columns]: [Range<usize>; 2],
        _next: Option<[Range<usize>; 2]>,
    ) -> [[&[E]; ROWS]; 2] {
        [self.rows(rows, columns), [&[]; ROWS]]
    }
}

/// Some rows: each by itself, or all in one, so that a step from row to row needs nothing but registers.
#[derive(Clone, Copy, Debug)]
pub enum Lines<'a, E> {
    /// As [`Rows::rows`], but a row may go on: what follows is perhaps asked for early, and never added.
    Apart([&'a [E]; ROWS]),
    /// As many as were asked for, one after the other, and nothing between them.
    Dense {
        /// All elements of the rows.
        data: &'a [E],
        /// How many each row has.
        pitch: usize,
        /// Where in a row the first column is.
        first: usize,
    },
}

impl<'a, E> Lines<'a, E> {
    /// Rows of so many columns, or longer.
    fn rows(&self, columns: usize) -> [&'a [E]; ROWS] {
        match *self {
            Self::Apart(rows) => rows,
            Self::Dense { data, pitch, first } => {
                let mut rows = [&data[..0]; ROWS];
                for (row, data) in rows.iter_mut().zip(data.chunks_exact(pitch)) {
                    *row = &data[first..first + columns];
                }
                rows
            }
        }
    }
}

/// What a table holds.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Rows of the table.
    pub rows: usize,
    /// Means.
    pub columns: usize,
    /// How often the columns repeat, side by side: a narrow table of k times as many rows is a wide
    /// one. If more than once, `copies` * `columns` is at most [`TILE`].
    pub copies: usize,
    /// Whether the copies of each column lie side by side, and not those of all the columns.
    pub grouped: bool,
    /// Elements in a column with all its copies; what the table has more must be zeros, that count.
    pub n: u64,
    /// `None`: all elements count. Otherwise those of which the masks of [`Rows::rows_and_masks`] say so, if
    /// there are any; and if this is true no missing ones.
    pub counted: Option<bool>,
}

impl Shape {
    /// Of a table with `n` elements in each column: a narrow one is made wider.
    pub fn new(n: usize, columns: usize) -> Self {
        let copies = WIDE.map(|(width, rows)| (width / columns).min(n / rows));
        let copies = copies.into_iter().fold(1, usize::max);
        Self {
            rows: n.div_ceil(copies),
            columns,
            copies,
            grouped: false,
            n: n as u64,
            counted: None,
        }
    }

    /// Whether no state is needed but the one in hand.
    pub(crate) fn is_one_block(self) -> bool {
        self.rows <= ROWS && self.copies == 1
    }

    /// Where the copies of a column are.
    pub(crate) fn places(self, column: usize) -> impl Iterator<Item = usize> + Clone {
        let (first, step) =
            if self.grouped { (column * self.copies, 1) } else { (column, self.columns) };
        (first..).step_by(step).take(self.copies)
    }
}

/// The encodings of the means of the columns of a table, at most 2^32 rows of them, and which have
/// none: theirs are unspecified.
///
/// The floating-point environment is taken to be the default one.
pub(crate) fn means_of_columns<E: Float>(
    level: Level,
    table: &mut dyn Rows<E>,
    shape: Shape,
    means: &mut [u64],
) -> Remaining {
    assert!(means.len() == shape.columns && shape.n > 0 && shape.rows as u64 <= MOST_ROWS);
    assert!(shape.copies == 1 || shape.copies * shape.columns <= TILE);
    // What a table leaves over of a group is added for nothing: so of a narrow one groups are half as wide.
    let level = match level {
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        Level::Avx512(_)
            if !is_by_vector::<E>(table, shape) && shape.columns * shape.copies < MOST =>
        {
            level.as_avx2().map_or(level, |simd| simd.level())
        }
        _ => level,
    };
    dispatch!(level, simd => {
        means_at::<_, E>(simd, table, shape, means)
    })
}

/// Whether what is dropped is looked at.
fn is_few<E: Float>(table: &dyn Rows<E>, shape: Shape) -> bool {
    let long = !E::BINARY.is_narrow() && table.reading() == Reading::Long;
    shape.n <= if long { FEW_OF_LONG } else { FEW }
}

/// Whether a group is one vector, if that is a cache line: from memory, four at once take half as long again on Zen 4.
/// From a near cache four are faster, if they are filled, since what is added to one has to wait for what was; and where
/// copies of a column are side by side, and are to be put together in the end.
fn is_by_vector<E: Float>(table: &dyn Rows<E>, shape: Shape) -> bool {
    let is_plain = !E::BINARY.is_narrow() && shape.counted.is_none() && !shape.grouped;
    let is_filled = shape.columns * shape.copies >= 2 * MOST;
    let four = table.reading() == Reading::Near && is_filled;
    is_plain && !four && !is_few::<E>(table, shape)
}

#[inline(always)]
fn means_at<S: Simd, E: Float>(
    simd: S,
    table: &mut dyn Rows<E>,
    shape: Shape,
    means: &mut [u64],
) -> Remaining {
    macro_rules! means_by {
        ($w:literal, $flag:literal, $two:literal, $counted:literal) => {
            by_itself(
                simd,
                #[inline(always)]
                || means_by::<S, E, $w, $flag, $two, $counted>(simd, table, shape, means),
            )
        };
    }
    match (is_few::<E>(table, shape), E::BINARY.is_narrow()) {
        // (With the flag, whatever their number: few of them may count.)
        (_, false) if shape.counted.is_some() => means_by!(4, true, true, true),
        (_, true) if shape.counted.is_some() => means_by!(4, true, false, true),
        (false, false) if S::f64s::LEN == 8 && is_by_vector::<E>(table, shape) => {
            means_by!(1, false, true, false)
        }
        (false, false) => means_by!(4, false, true, false),
        (true, false) => means_by!(4, true, true, false),
        (false, true) => means_by!(4, false, false, false),
        (true, true) => means_by!(4, true, false, false),
    }
}

/// The most columns that are read in one go.
#[inline(always)]
fn most_columns(reading: Reading, shape: Shape) -> usize {
    let tile = reading.tile();
    if shape.n <= FEW {
        tile.min(TILE_OF_FEW)
    } else {
        tile
    }
}

/// Calls a function that is compiled by itself: all kinds of tables in one function take the compiler a third longer.
#[inline(never)]
fn by_itself<S: Simd, R>(simd: S, f: impl FnOnce() -> R) -> R {
    simd.vectorize(f)
}

#[inline(always)]
fn means_by<
    S: Simd,
    E: Float,
    const W: usize,
    const FLAG: bool,
    const TWO: bool,
    const COUNTED: bool,
>(
    simd: S,
    table: &mut dyn Rows<E>,
    shape: Shape,
    means: &mut [u64],
) -> Remaining {
    let Shape { rows, columns, copies, n, .. } = shape;
    let plan = &Plan::new::<E, TWO>(shape);
    let group = W * S::f64s::LEN;
    let tile = most_columns(table.reading(), shape).min(columns * copies);
    let kept = if shape.is_one_block() { MOST } else { tile + 2 * MOST };
    let mut memory = table.take_memory();
    let slots = SLOTS + usize::from(COUNTED);
    let room = kept * slots + CACHE_LINE / 8;
    if memory.len() < room {
        memory.resize(room, 0.0);
    }
    let past = memory.as_ptr().addr() % CACHE_LINE / 8;
    let (states, counts) = memory[CACHE_LINE / 8 - past..].split_at_mut(kept * SLOTS);
    let all = Divisor::<S>::all(simd, n);
    let mut results = Results { means, found: Remaining::default() };
    let mut proved = [0; MOST];
    let mut parts_of_all = (copies > 1).then(|| Copies::new(shape));
    // (Once, for both kinds: it is most of this function.)
    sweep::<S, E, W, FLAG, TWO, COUNTED>(
        simd,
        table,
        shape,
        plan,
        [states, counts],
        #[inline(always)]
        |sums, counts, first| {
            if let Some(all) = &mut parts_of_all {
                let (true, Sums::Windows(state)) = (has_fma(simd), sums) else { return true };
                for i in 0..W {
                    let count = elements_of::<S, COUNTED>(simd, counts, rows, i);
                    let parts = Parts::<S>::of::<W, FLAG, TWO>(simd, state, i, plan, count);
                    all.keep(parts, count, first + i * S::f64s::LEN);
                }
                return true;
            }
            results.forget(first);
            let end = columns.min(first + group);
            let mut open = u64::MAX;
            if has_fma(simd) {
                let whole = end - first == group;
                // (So few rows carry nothing: the two parts are the whole sum.)
                debug_assert!(!FLAG || COUNTED || !plan.carries);
                let exact = FLAG && !COUNTED && sums.drop_nothing(simd);
                let means = &mut results.means[first..end];
                open = certify::<S, E, W>(
                    if whole { &mut *means } else { &mut proved },
                    #[inline(always)]
                    |i| match sums {
                        Sums::Exact([high, low]) if COUNTED => {
                            let n = elements_of::<S, COUNTED>(simd, counts, rows, i);
                            Total::<S>::mean_of_exact_each::<E>(simd, n, high[i], low[i])
                        }
                        Sums::Exact([high, low]) => {
                            Total::<S>::mean_of_exact::<E>(simd, n, all, high[i], low[i])
                        }
                        Sums::Windows(state) => {
                            let count = elements_of::<S, COUNTED>(simd, counts, rows, i);
                            let parts = Parts::<S>::of::<W, FLAG, TWO>(simd, state, i, plan, count);
                            if exact {
                                let Parts { high, low, .. } = parts;
                                return Total::<S>::mean_of_exact::<E>(simd, n, all, high, low);
                            }
                            let total = parts.total(plan.carries, TWO);
                            let low = TWO || plan.carries;
                            if COUNTED {
                                total.mean_of_each::<E, FLAG>(simd, count, low)
                            } else {
                                total.mean::<E, FLAG>(simd, all, low)
                            }
                        }
                    },
                );
                if !whole {
                    means.copy_from_slice(&proved[..end - first]);
                }
            }
            open &= !(u64::MAX << (end - first));
            while open != 0 {
                let lane = open.trailing_zeros() as usize;
                open &= open - 1;
                let n = if COUNTED { counts[lane] as u64 } else { n };
                let sum = match sums {
                    _ if n == 0 => None,
                    Sums::Exact(_) => return false,
                    Sums::Windows(state) if holds_nan(state, lane, group) => {
                        results.means[first + lane] = E::BINARY.nan();
                        continue;
                    }
                    Sums::Windows(state) => bounded::<W, FLAG, TWO>(state, lane, group, plan, n),
                };
                results.decide(first + lane, sum, n, E::BINARY);
            }
            true
        },
    );
    let Some(parts_of_all) = parts_of_all else {
        let found = results.found;
        table.keep_memory(memory);
        return found;
    };
    // Zeros that fill up the last row, and are counted.
    let more = (rows * copies) as u64 - n;
    for first in (0..columns).step_by(group) {
        let mut open = u64::MAX;
        if has_fma(simd) {
            open = certify::<S, E, W>(
                &mut proved,
                #[inline(always)]
                |i| {
                    let column = first + i * S::f64s::LEN;
                    let total = parts_of_all.total(simd, column, plan.carries);
                    if COUNTED {
                        let count = parts_of_all.count(simd, column);
                        let count = count - S::f64s::splat(simd, more as f64);
                        total.mean_of_each::<E, FLAG>(simd, count, true)
                    } else {
                        total.mean::<E, FLAG>(simd, all, true)
                    }
                },
            );
        }
        let end = columns.min(first + group);
        results.means[first..end].copy_from_slice(&proved[..end - first]);
        open &= !(u64::MAX << (end - first));
        while open != 0 {
            let column = first + open.trailing_zeros() as usize;
            open &= open - 1;
            let groups = Groups::new(group, columns * copies);
            let places = shape.places(column).map(|place| {
                let index = place / group;
                (index, place - groups.start(index))
            });
            let count = |(index, lane): (usize, usize)| {
                if COUNTED {
                    counts[index * group + lane] as u64
                } else {
                    rows as u64
                }
            };
            let elements = places.clone().map(count).sum::<u64>() - more;
            let state = |index: usize| &states[index * SLOTS * group..][..SLOTS * group];
            if elements == 0 {
                results.decide(column, None, 0, E::BINARY);
            } else if places.clone().any(|(index, lane)| holds_nan(state(index), lane, group)) {
                results.means[column] = E::BINARY.nan();
            } else {
                let sum = places.map(|place| {
                    let (index, lane) = place;
                    bounded::<W, FLAG, TWO>(state(index), lane, group, plan, count(place))
                });
                let sum = sum.reduce(|a, b| Some(add(a?, b?))).flatten();
                results.decide(column, sum, elements, E::BINARY);
            }
        }
    }
    let found = results.found;
    table.keep_memory(memory);
    found
}

/// How many elements each lane of vector `i` has.
#[inline(always)]
fn elements_of<S: Simd, const COUNTED: bool>(
    simd: S,
    counts: &[f64],
    rows: usize,
    i: usize,
) -> S::f64s {
    if COUNTED {
        S::f64s::from_slice(simd, &counts[i * S::f64s::LEN..][..S::f64s::LEN])
    } else {
        S::f64s::splat(simd, rows as f64)
    }
}

/// Which columns of a table have no mean yet, in ascending order.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Remaining {
    /// Those of which none has been found: such a one holds what is not finite, or it is not proved.
    pub open: Vec<usize>,
    /// Those of which no element counts.
    pub empty: Vec<usize>,
}

/// The means, and the columns that have none yet.
struct Results<'a> {
    means: &'a mut [u64],
    found: Remaining,
}

impl Results<'_> {
    /// What the last group shares with the one before is decided again.
    #[inline(always)]
    fn forget(&mut self, first: usize) {
        for columns in [&mut self.found.open, &mut self.found.empty] {
            while columns.last().is_some_and(|&column| column >= first) {
                columns.pop();
            }
        }
    }

    /// Takes the mean of n elements from their sum, if it proves one.
    #[inline(never)]
    fn decide(&mut self, column: usize, sum: Option<Bounded>, n: u64, format: Binary) {
        if n == 0 {
            self.found.empty.push(column);
            return;
        }
        // (A bound above n is not what `Bounded::mean` expects, and proves little.)
        let sum = sum.filter(|sum| sum.bound <= u128::from(n));
        match sum.and_then(|sum| sum.mean(n, format)) {
            Some(mean) => self.means[column] = mean,
            None => self.found.open.push(column),
        }
    }
}

/// Both sums, in the coarser unit: what that drops is less than one of it.
#[inline(always)]
fn add(a: Bounded, b: Bounded) -> Bounded {
    let (fine, coarse) = if a.unit < b.unit { (a, b) } else { (b, a) };
    let down = (coarse.unit - fine.unit).min(127);
    let kept = fine.sum >> down;
    let dropped = u128::from(kept << down != fine.sum);
    let bound = fine.bound.div_ceil(1 << down) + dropped + coarse.bound;
    Bounded { sum: kept + coarse.sum, bound, unit: coarse.unit }
}

/// What is the same for all columns.
#[derive(Clone, Copy)]
pub(crate) struct Plan {
    /// A lane takes fewer than 2^l steps in a segment.
    l: i32,
    pub segment: usize,
    /// Rows that tell the first anchors.
    glance: usize,
    /// The anchor of a maximum below 2^(e+1), over 2^e.
    pub a1_of_power: f64,
    /// A2 / A1.
    pub a2_of_a1: f64,
    /// The lowest anchor: nothing is dropped at it.
    pub lowest: f64,
    /// The highest one.
    highest: f64,
    /// Whether there is more than one segment, and so an `upper`.
    pub carries: bool,
    /// Half the last grid, over 2^E.
    pub half_unit: f64,
    /// A 1 that the compiler does not know.
    pub one: f64,
}

/// `2^exponent`, a normal number.
pub(crate) const fn power_of_two(exponent: i32) -> f64 {
    debug_assert!(-1022 <= exponent && exponent <= 1023);
    f64::from_bits(((exponent + 1023) as u64) << 52)
}

impl Plan {
    #[inline(always)]
    fn new<E: Float, const TWO: bool>(shape: Shape) -> Self {
        // The mean needs more of float64's two windows' bits than of float32's one: a segment
        // (2^l rows) costs 2 l bits of two windows, and l of one.
        let (most, long) = if TWO { (13, 13) } else { (10, 8) };
        let least = usize::BITS - (shape.rows + ROWS).leading_zeros();
        let l = if least <= most { least.max(5) as i32 } else { long };
        let segment = (1 << l) - ROWS;
        let slack = if shape.n <= FEW { SLACK } else { 0 };
        let two_rows = shape.n <= FEW && shape.counted.is_none();
        let second = if TWO { 52 - l } else { 0 };
        Self {
            l,
            segment,
            glance: if two_rows { 2 } else { ROWS },
            a1_of_power: 1.5 * power_of_two(2 + l + slack),
            a2_of_a1: power_of_two(l - 52),
            lowest: 1.5 * power_of_two(E::MIN_EXPONENT + 52 + second),
            highest: 1.5 * power_of_two(if shape.rows > segment { 1022 - 26 } else { 1022 }),
            carries: shape.rows > segment,
            half_unit: power_of_two(-53 - second),
            one: black_box(1.0),
        }
    }
}

/// The bits that say which binade a number is in.
pub(crate) const PLACE: u64 = <f64 as Format>::SIGN | EXPONENT;
const EXPONENT: u64 = <f64 as Format>::INFINITY;

/// A group's state in memory: this many times its columns.
pub(crate) const SLOTS: usize = 6;
/// The windows.
pub(crate) const T1: usize = 0;
pub(crate) const T2: usize = 1;
/// What [`Lanes`] says was dropped, in the place of the first of the vectors.
pub(crate) const DROPPED: usize = 2;
/// The first anchor; NaN in an open column.
pub(crate) const A1: usize = 3;
/// What the segments carried.
pub(crate) const UPPER: usize = 4;
/// Half units that new anchors cost.
pub(crate) const MOVED: usize = 5;

#[inline(always)]
pub(crate) fn bits<S: Simd>(v: S::f64s) -> S::u64s {
    v.bitcast()
}

/// Whether any bit is set. (An OR of the lanes: cheaper than a mask at every level.)
#[inline(always)]
pub(crate) fn any<S: Simd>(v: S::u64s) -> bool {
    v.as_slice().iter().fold(0, |or, lane| or | lane) != 0
}

/// The vectors of a slot of a group's state.
#[inline(always)]
pub(crate) fn load<S: Simd, const W: usize>(simd: S, state: &[f64], slot: usize) -> [S::f64s; W] {
    lane::load(simd, &state[slot * W * S::f64s::LEN..])
}

/// One of them.
#[inline(always)]
pub(crate) fn load_one<S: Simd, const W: usize>(
    simd: S,
    state: &[f64],
    slot: usize,
    i: usize,
) -> S::f64s {
    let len = S::f64s::LEN;
    S::f64s::from_slice(simd, &state[(slot * W + i) * len..][..len])
}

#[inline(always)]
pub(crate) fn store<S: Simd, const W: usize>(
    state: &mut [f64],
    slot: usize,
    vectors: [S::f64s; W],
) {
    let len = S::f64s::LEN;
    let state = &mut state[slot * W * len..][..W * len];
    for (vector, state) in vectors.iter().zip(state.chunks_exact_mut(len)) {
        vector.store_slice(state);
    }
}

/// Where the groups of a tile begin: the last one ends with the tile, and may overlap.
#[derive(Clone, Copy)]
pub(crate) struct Groups {
    /// Columns of a group, and of the tile.
    len: usize,
    width: usize,
    /// Columns that the second one shares with the first.
    shared: usize,
    /// Where in a row the tile begins.
    first: usize,
}

impl Groups {
    #[inline(always)]
    pub fn new(len: usize, width: usize) -> Self {
        Self { len, width, shared: 0, first: 0 }
    }

    /// All but the first and the last begin with a cache line, if that is so in each of these rows: a vector
    /// that straddles two lines is two loads, which from the second cache takes half as long again.
    #[inline(always)]
    fn aligned<E>(self, rows: &[&[E]]) -> Self {
        let past = |row: &[E]| row.as_ptr().addr() % CACHE_LINE;
        let first = past(rows[0]);
        if self.width < WORTH_ALIGNING * self.len || rows.iter().any(|row| past(row) != first) {
            return self;
        }
        let head = (CACHE_LINE - first) % CACHE_LINE / size_of::<E>();
        Self { shared: (self.len - head % self.len) % self.len, ..self }
    }

    #[inline(always)]
    pub fn count(self) -> usize {
        (self.width + self.shared).div_ceil(self.len)
    }

    #[inline(always)]
    pub fn start(self, index: usize) -> usize {
        let start = (index * self.len).saturating_sub(self.shared);
        self.first + start.min(self.width.saturating_sub(self.len))
    }
}

/// Whether an element of a lane is NaN: if so, it shows here, but where other elements leave no anchor.
fn holds_nan(state: &[f64], lane: usize, group: usize) -> bool {
    let at = |slot: usize| state[slot * group + lane];
    at(T1).is_nan() && !at(A1).is_nan()
}

/// The sum of a lane, `None` where it has none.
#[inline(never)]
fn bounded<const W: usize, const FLAG: bool, const TWO: bool>(
    state: &[f64],
    lane: usize,
    group: usize,
    plan: &Plan,
    elements: u64,
) -> Option<Bounded> {
    let at = |slot: usize| state[slot * group + lane];
    let a1 = at(A1);
    let biased = (a1.to_bits() & EXPONENT) >> 52;
    let unit = biased as i32 - 1023 - 52 - if TWO { 52 - plan.l } else { 0 };
    let lower = if TWO { at(T2) - a1 * plan.a2_of_a1 } else { 0.0 };
    let upper = if plan.carries { at(UPPER) } else { 0.0 };
    let sum = units(upper, unit)? + units(at(T1) - a1, unit)? + units(lower, unit)?;
    let exact = a1 == plan.lowest || (FLAG && state[DROPPED * group + lane % (group / W)] == 0.0);
    let halves = if exact { 0 } else { elements + at(MOVED) as u64 };
    debug_assert!(!TWO || at(T2).to_bits() & PLACE == (a1 * plan.a2_of_a1).to_bits() & PLACE);
    debug_assert!(at(T1).to_bits() & PLACE == a1.to_bits() & PLACE);
    Some(Bounded { sum, bound: halves.div_ceil(2).into(), unit })
}

/// x in units of 2^`unit`, of which it is a multiple; `None` where it is not finite.
#[inline(always)]
fn units(x: f64, unit: i32) -> Option<i128> {
    if !x.is_finite() {
        return None;
    }
    let (significand, shift) = x.decode();
    let (up, significand) = (shift as i32 + f64::MIN_EXPONENT - unit, i128::from(significand));
    Some(if up >= 0 { significand << up } else { significand >> (-up).min(127) })
}

/// A group's sums: of few rows perhaps exact, high and low parts; or as the windows hold them.
#[derive(Clone, Copy)]
pub(crate) enum Sums<'a, S: Simd, const W: usize> {
    Exact([[S::f64s; W]; 2]),
    Windows(&'a [f64]),
}

impl<S: Simd, const W: usize> Sums<'_, S, W> {
    /// Whether the flag says so of all columns.
    #[inline(always)]
    fn drop_nothing(&self, simd: S) -> bool {
        match self {
            Self::Exact(_) => true,
            Self::Windows(state) => !any::<S>(bits::<S>(load_one::<S, W>(simd, state, DROPPED, 0))),
        }
    }
}

/// Sums all columns, and shows each group's sums, and where it begins, to `finish`, which says whether
/// exact ones suffice.
#[inline(always)]
fn sweep<
    S: Simd,
    E: Float,
    const W: usize,
    const FLAG: bool,
    const TWO: bool,
    const COUNTED: bool,
>(
    simd: S,
    table: &mut dyn Rows<E>,
    shape: Shape,
    plan: &Plan,
    [states, counts]: [&mut [f64]; 2],
    mut finish: impl FnMut(Sums<S, W>, &[f64], usize) -> bool,
) {
    if COUNTED {
        return sift::sweep::<S, E, W, FLAG, TWO>(
            simd,
            table,
            shape,
            plan,
            [states, counts],
            finish,
        );
    }
    let group = W * S::f64s::LEN;
    let columns = shape.columns * shape.copies;
    let groups_in_all = columns.div_ceil(group);
    let reading = table.reading();
    let tiles = groups_in_all.div_ceil(most_columns(reading, shape) / group).max(1);
    let groups_of_tile = groups_in_all.div_ceil(tiles).max(1);
    let mut padded = [[E::signed(false, 0); MOST]; ROWS];
    let mut few = Few::new();
    let is_far = reading == Reading::Far;
    let tile = |first_group: usize| {
        let end = columns.min((first_group + groups_of_tile) * group);
        (first_group * group).min(columns.saturating_sub(group))..end
    };
    for first_group in (0..groups_in_all).step_by(groups_of_tile) {
        let Range { start: first, end } = tile(first_group);
        let width = end - first;
        let mut groups = Groups::new(group, width);
        for from in (0..shape.rows).step_by(ROWS) {
            let until = shape.rows.min(from + ROWS);
            let (lines, next) = if is_far {
                let next = if until < shape.rows {
                    Some([until..shape.rows.min(until + ROWS), first..end])
                } else {
                    (end < columns)
                        .then(|| [0..shape.rows.min(ROWS), tile(first_group + groups_of_tile)])
                };
                let [rows, next] = table.rows_and_next([from..until, first..end], next);
                (Lines::Apart(rows), next)
            } else {
                (table.lines(from..until, first..end), [&[] as &[E]; ROWS])
            };
            let lines = if width < group {
                Lines::Apart(pad_rows(&lines.rows(width), width, &mut padded))
            } else {
                lines
            };
            let early = match reading {
                Reading::Near | Reading::ByVector => Early::Nothing,
                Reading::Long => Early::Following,
                Reading::Far => Early::next(&next),
            };
            let count = until - from;
            if from == 0 && shape.copies == 1 {
                groups = groups.aligned(&lines.rows(width)[..count]);
            }
            let is_last = until == shape.rows;
            if from == 0 {
                // Group by group, because the rows that tell its anchors are at hand, and the hardware may
                // fetch the next group's meanwhile.
                let rows = &lines.rows(width)[..count];
                for i in 0..groups.count() {
                    let at = groups.start(i);
                    if shape.is_one_block() && FLAG && has_fma(simd) {
                        let narrow = E::BINARY.is_narrow();
                        let sums = few.sums::<S, E, W>(simd, narrow, plan, rows, early, at);
                        if sums.is_some_and(
                            #[inline(always)]
                            |sums| finish(Sums::Exact(sums), &[], first + at),
                        ) {
                            continue;
                        }
                    }
                    let index = if shape.is_one_block() { 0 } else { i };
                    let state = &mut states[index * SLOTS * group..][..SLOTS * group];
                    begin::<S, E, W, FLAG, TWO>(simd, rows, at, state, plan, FLAG && TWO);
                    let some = rows.iter().copied();
                    if !add_rows::<S, E, W, FLAG, TWO>(simd, some, early, at, state, plan) {
                        simd.vectorize(
                            #[inline(always)]
                            || anchor_anew::<S, E, W, FLAG, TWO>(simd, rows, at, state, plan),
                        );
                    }
                    if shape.is_one_block() {
                        finish(Sums::Windows(state), &[], first + at);
                    }
                }
                if shape.is_one_block() {
                    continue;
                }
            }
            let states = &mut states[..groups.count() * SLOTS * group];
            if from != 0 {
                if plan.carries && from % plan.segment == 0 {
                    for state in states.chunks_exact_mut(SLOTS * group) {
                        carry::<S, W, TWO>(simd, state, plan);
                    }
                }
                add_to_all::<S, E, W, FLAG, TWO>(simd, &lines, count, early, groups, states, plan);
            }
            if is_last {
                for (i, state) in states.chunks_exact_mut(SLOTS * group).enumerate() {
                    finish(Sums::Windows(state), &[], first + groups.start(i));
                }
            }
        }
    }
}

/// So many columns of the rows that there are, with zeros behind them, as long as a group.
#[inline(never)]
pub(crate) fn pad_rows<'a, E: Copy>(
    rows: &[&[E]],
    columns: usize,
    padded: &'a mut [[E; MOST]; ROWS],
) -> [&'a [E]; ROWS] {
    for (padded, row) in padded.iter_mut().zip(rows) {
        let row = &row[..columns.min(row.len())];
        padded[..row.len()].copy_from_slice(row);
    }
    padded.each_ref().map(|row| row.as_slice())
}

/// The largest magnitudes of some rows of a group. (A NaN may hide: on x86, where the second operand is what
/// remains, it does.)
#[inline(always)]
pub(crate) fn largest<S: Simd, E: Float, const W: usize>(
    simd: S,
    rows: &[&[E]],
    at: usize,
) -> [S::f64s; W] {
    let mut max = [S::f64s::splat(simd, 0.0); W];
    for row in rows {
        let x = E::load_some::<S, W>(simd, &row[at..at + W * S::f64s::LEN]);
        for (max, x) in max.iter_mut().zip(x) {
            *max = x.abs().max(*max);
        }
    }
    max
}

/// 2^floor(log2 x); 0 for a subnormal number.
#[inline(always)]
pub(crate) fn power<S: Simd>(simd: S, x: S::f64s) -> S::f64s {
    (bits::<S>(x) & S::u64s::splat(simd, EXPONENT)).bitcast()
}

/// NaN for an anchor that is too high (or NaN).
#[inline(always)]
fn possible<S: Simd>(simd: S, a1: S::f64s, plan: &Plan) -> S::f64s {
    let highest = S::f64s::splat(simd, plan.highest);
    a1.simd_le(highest).select(a1, S::f64s::splat(simd, f64::NAN))
}

/// What a block of a group of `W` vectors keeps in registers. Four hide the latency of the additions, and
/// AVX2's 16 registers hold them.
pub(crate) struct Lanes<S: Simd, const W: usize> {
    pub t1: [S::f64s; W],
    pub t2: [S::f64s; W],
    /// Bits in which what T2 took differs from r (or, with one window, r's): none if nothing was
    /// dropped. Of all vectors, for as many such would be as much again as the windows.
    pub dropped: S::u64s,
    /// Bits in which a T1 has changed.
    pub seen: S::u64s,
    one: S::f64s,
}

impl<S: Simd, const W: usize> Lanes<S, W> {
    #[inline(always)]
    pub fn new(simd: S, one: f64, t1: [S::f64s; W], t2: [S::f64s; W]) -> Self {
        let zero = S::u64s::splat(simd, 0);
        Self { t1, t2, dropped: zero, seen: zero, one: S::f64s::splat(simd, one) }
    }

    #[inline(always)]
    fn load<const FLAG: bool, const TWO: bool>(simd: S, plan: &Plan, state: &[f64]) -> Self {
        let t1 = load(simd, state, T1);
        let t2 = if TWO { load(simd, state, T2) } else { t1 };
        let mut lanes = Self::new(simd, plan.one, t1, t2);
        if FLAG {
            lanes.dropped = bits::<S>(load_one::<S, W>(simd, state, DROPPED, 0));
        }
        lanes
    }

    #[inline(always)]
    fn store<const FLAG: bool, const TWO: bool>(&self, state: &mut [f64]) {
        store::<S, W>(state, T1, self.t1);
        if TWO {
            store::<S, W>(state, T2, self.t2);
        }
        if FLAG {
            let dropped: S::f64s = self.dropped.bitcast();
            dropped.store_slice(&mut state[DROPPED * W * S::f64s::LEN..][..S::f64s::LEN]);
        }
    }

    /// Adds some rows, and says whether every lane has stayed in its binade.
    #[inline(always)]
    pub fn add<'a, E: Float + 'a, const FLAG: bool, const TWO: bool>(
        &mut self,
        simd: S,
        rows: impl Iterator<Item = &'a [E]>,
        early: Early<E>,
        at: usize,
    ) -> bool {
        let group = at..at + W * S::f64s::LEN;
        early.for_rows(
            rows,
            group.clone(),
            #[inline(always)]
            |row| self.step::<FLAG, TWO>(simd, E::load_some::<S, W>(simd, &row[group.clone()])),
        );
        !any::<S>(self.seen & S::u64s::splat(simd, PLACE))
    }

    /// Adds an element to each lane: see the top of this file. With FMA, half of the additions are
    /// `mul_add`s by 1, for which many cores have pipes of their own: with the flag, two others.
    #[inline(always)]
    pub fn step<const FLAG: bool, const TWO: bool>(&mut self, simd: S, x: [S::f64s; W]) {
        let one = self.one;
        let add = |x: S::f64s, t: S::f64s| if has_fma(simd) { x.mul_add(one, t) } else { x + t };
        for (i, x) in x.into_iter().enumerate() {
            let t1 = self.t1[i];
            let t = x + t1;
            self.seen |= bits::<S>(t) ^ bits::<S>(t1);
            self.t1[i] = t;
            if TWO {
                let r = add(x, t1 - t);
                let t2 = self.t2[i];
                let u = if has_fma(simd) && !FLAG { r.mul_add(one, t2) } else { t2 + r };
                self.t2[i] = u;
                if FLAG {
                    // Equal numbers have equal bits: neither is -0. And others differ in more than the
                    // sign, so that the bits are not those of a zero: T2 is nearer to T2 + r than
                    // T2 - r is.
                    let kept = if has_fma(simd) { u.mul_sub(one, t2) } else { u - t2 };
                    self.dropped |= bits::<S>(kept) ^ bits::<S>(r);
                }
            } else if FLAG {
                // (Of -0 it differs in the sign, which no comparison with 0 sees.)
                self.dropped |= bits::<S>(t - t1) ^ bits::<S>(x);
            }
        }
    }
}

/// Whether any lane is this number.
#[inline(always)]
fn any_is<S: Simd, const W: usize>(simd: S, vectors: &[S::f64s; W], number: f64) -> bool {
    let (mut found, number) = (S::u64s::splat(simd, 0), S::f64s::splat(simd, number));
    for vector in vectors {
        found |= vector.simd_eq(number).to_vector().bitcast::<S::u64s>();
    }
    any::<S>(found)
}

/// Finds the anchors of a group: any will do, for a lane that leaves its binade is seen, and these are for none to have to.
/// Two rows may tell them, or all of these where some columns have but zeros there; and where these do not tell either, the
/// lowest is right if all of the column is zeros, and proves so. But with the flag, which would see that anyway, and the
/// room of two windows, it begins with its neighbours' least, `if_zeros_as_others`: of columns that are mostly zeros, most
/// are as their neighbours.
#[inline(always)]
pub(crate) fn begin<S: Simd, E: Float, const W: usize, const FLAG: bool, const TWO: bool>(
    simd: S,
    rows: &[&[E]],
    at: usize,
    state: &mut [f64],
    plan: &Plan,
    if_zeros_as_others: bool,
) {
    let splat = |x: f64| S::f64s::splat(simd, x);
    let zeros = [splat(0.0); W];
    let lowest = splat(plan.lowest);
    let glance = plan.glance.min(rows.len());
    let mut a1 = largest::<S, E, W>(simd, &rows[..glance], at);
    if glance < rows.len() && any_is::<S, W>(simd, &a1, 0.0) {
        a1 = largest::<S, E, W>(simd, rows, at);
    }
    for a1 in &mut a1 {
        *a1 = possible(simd, (power(simd, *a1) * splat(plan.a1_of_power)).max(lowest), plan);
    }
    if if_zeros_as_others && any_is::<S, W>(simd, &a1, plan.lowest) {
        let most = splat(f64::MAX);
        let mut least = most;
        for &a1 in &a1 {
            least = least.min(a1.simd_gt(lowest).select(a1, most)); // (not NaN)
        }
        let least = least.reduce_min();
        let least = splat(if least < f64::MAX { least } else { plan.lowest });
        for a1 in &mut a1 {
            *a1 = a1.simd_eq(lowest).select(least, *a1);
        }
    }
    let mut a2 = zeros;
    for (a2, a1) in a2.iter_mut().zip(a1) {
        *a2 = a1 * splat(plan.a2_of_a1);
    }
    store::<S, W>(state, A1, a1);
    store::<S, W>(state, MOVED, zeros);
    if plan.carries {
        store::<S, W>(state, UPPER, zeros);
    }
    Lanes::<S, W>::new(simd, plan.one, a1, a2).store::<FLAG, TWO>(state);
}

/// Adds some rows to a group, unless a lane leaves its binade.
#[inline(always)]
pub(crate) fn add_rows<
    'a,
    S: Simd,
    E: Float + 'a,
    const W: usize,
    const FLAG: bool,
    const TWO: bool,
>(
    simd: S,
    rows: impl Iterator<Item = &'a [E]>,
    early: Early<E>,
    at: usize,
    state: &mut [f64],
    plan: &Plan,
) -> bool {
    let mut lanes = Lanes::<S, W>::load::<FLAG, TWO>(simd, plan, state);
    let passed = lanes.add::<E, FLAG, TWO>(simd, rows, early, at);
    if passed {
        lanes.store::<FLAG, TWO>(state);
    }
    passed
}

/// Adds some rows to the groups of a tile from one on, and returns the first of which a lane leaves its
/// binade, or their number. (A function of its own, so that all it needs stays in registers: how far the
/// loads of a group run ahead of the additions of the last is a matter of instructions between them.)
#[inline(never)]
fn add_from<'a, S: Simd, E: Float + 'a, const W: usize, const FLAG: bool, const TWO: bool>(
    simd: S,
    rows: impl Iterator<Item = &'a [E]> + Clone,
    early: Early<E>,
    groups: Groups,
    states: &mut [f64],
    from: usize,
    plan: &Plan,
) -> usize {
    simd.vectorize(
        #[inline(always)]
        || {
            let len = SLOTS * W * S::f64s::LEN;
            // (Copies: what is behind a reference could change with each state that is stored.)
            let (all, plan, groups, early) = (rows.clone(), *plan, groups, early);
            for (i, state) in states.chunks_exact_mut(len).enumerate().skip(from) {
                let (rows, at) = (all.clone(), groups.start(i));
                if !add_rows::<S, E, W, FLAG, TWO>(simd, rows, early, at, state, &plan) {
                    return i;
                }
            }
            states.len() / len
        },
    )
}

/// Adds some rows to all groups of a tile.
#[inline(always)]
fn add_to_all<S: Simd, E: Float, const W: usize, const FLAG: bool, const TWO: bool>(
    simd: S,
    lines: &Lines<E>,
    count: usize,
    early: Early<E>,
    groups: Groups,
    states: &mut [f64],
    plan: &Plan,
) {
    let mut from = 0;
    loop {
        let i = match lines {
            Lines::Apart(rows) => {
                let rows = rows[..count].iter().copied();
                add_from::<S, E, W, FLAG, TWO>(simd, rows, early, groups, states, from, plan)
            }
            &Lines::Dense { data, pitch, first } => {
                let (rows, groups) = (data.chunks_exact(pitch), Groups { first, ..groups });
                add_from::<S, E, W, FLAG, TWO>(simd, rows, early, groups, states, from, plan)
            }
        };
        let Some(state) = states.chunks_exact_mut(SLOTS * groups.len).nth(i) else { return };
        let (rows, at) = (&lines.rows(groups.width)[..count], groups.start(i));
        simd.vectorize(
            #[inline(always)]
            || anchor_anew::<S, E, W, FLAG, TWO>(simd, rows, at, state, plan),
        );
        from = i + 1;
    }
}

/// Adds some rows to a group of which a lane leaves its binade: such lanes go to anchors for these
/// rows, at least twice as high.
#[inline(always)]
pub(crate) fn anchor_anew<S: Simd, E: Float, const W: usize, const FLAG: bool, const TWO: bool>(
    simd: S,
    rows: &[&[E]],
    at: usize,
    state: &mut [f64],
    plan: &Plan,
) {
    let splat = |x: f64| S::f64s::splat(simd, x);
    let zero = S::u64s::splat(simd, 0);
    let mut seen = [zero; W];
    let mut t1 = load::<S, W>(simd, state, T1);
    for row in rows {
        let x = E::load_some::<S, W>(simd, &row[at..at + W * S::f64s::LEN]);
        for i in 0..W {
            let t = t1[i] + x[i];
            seen[i] |= bits::<S>(t) ^ bits::<S>(t1[i]);
            t1[i] = t;
        }
    }
    let max = largest::<S, E, W>(simd, rows, at);
    let mut old = Lanes::<S, W>::load::<FLAG, TWO>(simd, plan, state);
    let mut new = Lanes::<S, W>::load::<FLAG, TWO>(simd, plan, state);
    let mut a1 = load::<S, W>(simd, state, A1);
    let mut upper = load::<S, W>(simd, state, UPPER);
    let mut moved = load::<S, W>(simd, state, MOVED);
    let [mut rest, mut high, mut low] = [[splat(0.0); W]; 3];
    let mut stays = [zero.simd_eq(zero); W];
    for (i, stays) in stays.iter_mut().enumerate() {
        // (One without an anchor does so for good.)
        *stays = (seen[i] & S::u64s::splat(simd, PLACE)).simd_eq(zero) | !a1[i].simd_eq(a1[i]);
        let wanted = (power(simd, max[i]) * splat(plan.a1_of_power)).max(a1[i] + a1[i]);
        let a = possible(simd, wanted, plan);
        if plan.carries {
            let m = a * splat(power_of_two(26));
            let c = (upper[i] + m) - m;
            rest[i] = stays.select(rest[i], upper[i] - c);
            upper[i] = stays.select(upper[i], c);
        }
        // (Zeros drop nothing.)
        high[i] = stays.select(high[i], old.t1[i] - a1[i]);
        low[i] = stays.select(low[i], old.t2[i] - a1[i] * splat(plan.a2_of_a1));
        new.t1[i] = a;
        new.t2[i] = a * splat(plan.a2_of_a1);
        moved[i] = stays.select(moved[i], moved[i] + splat(3.0));
        a1[i] = stays.select(a1[i], a);
    }
    if plan.carries {
        new.step::<FLAG, TWO>(simd, rest);
    }
    new.step::<FLAG, TWO>(simd, high);
    if TWO {
        new.step::<FLAG, TWO>(simd, low);
    }
    for (i, stays) in stays.into_iter().enumerate() {
        old.t1[i] = stays.select(old.t1[i], new.t1[i]);
        old.t2[i] = stays.select(old.t2[i], new.t2[i]);
    }
    old.dropped = new.dropped;
    for row in rows {
        old.step::<FLAG, TWO>(simd, E::load_some::<S, W>(simd, &row[at..at + W * S::f64s::LEN]));
    }
    old.store::<FLAG, TWO>(state);
    store::<S, W>(state, A1, a1);
    if plan.carries {
        store::<S, W>(state, UPPER, upper);
    }
    store::<S, W>(state, MOVED, moved);
}

/// Makes room in the windows: see "Headroom" at the top of this file.
#[inline(always)]
pub(crate) fn carry<S: Simd, const W: usize, const TWO: bool>(
    simd: S,
    state: &mut [f64],
    plan: &Plan,
) {
    let mut t1 = load::<S, W>(simd, state, T1);
    let mut t2 = load::<S, W>(simd, state, T2);
    let a1 = load::<S, W>(simd, state, A1);
    let mut upper = load::<S, W>(simd, state, UPPER);
    for i in 0..W {
        let kept: S::f64s = (bits::<S>(t1[i]) & S::u64s::splat(simd, !0 << 26)).bitcast();
        let c = kept - a1[i];
        upper[i] += c;
        t1[i] -= c;
        if TWO {
            let low = t2[i] - a1[i] * S::f64s::splat(simd, plan.a2_of_a1);
            let c = (a1[i] + low) - a1[i];
            t1[i] += c;
            t2[i] -= c;
        }
    }
    store::<S, W>(state, UPPER, upper);
    store::<S, W>(state, T1, t1);
    if TWO {
        store::<S, W>(state, T2, t2);
    }
}
