//! Where the kernel takes its elements from: a slice, all of it or what counts of it, or elements
//! that lie apart.

use crate::element::Float;
use crate::far::{self, Course};
use crate::lane::{Bits, Holds, Lane};
use fearless_simd::{prelude::*, Level, Simd};
use std::ops::Range;

/// Elements that do not lie side by side, or not as they are read.
pub trait Strided<E>: Copy {
    /// How many there are.
    fn count(self) -> usize;

    /// Some of them.
    fn within(self, range: Range<usize>) -> Self;

    /// How they are read.
    fn course(self) -> Course;

    /// How many come before the first from which on vectors of so many bytes are best copied: fewer than fill one.
    fn before_aligned(self, _bytes: usize) -> usize {
        0
    }

    /// Copies the elements from `at` on, as many as there is room for.
    fn copy(self, at: usize, to: &mut [E]);

    /// Gives `take` the elements of `range`, a multiple of `len`, in groups of so many, these and what is in them
    /// in any order. To be `#[inline(always)]`, so that it is compiled for `level` and a group need not
    /// go through memory.
    fn for_groups(self, level: Level, range: Range<usize>, len: usize, take: impl FnMut(&[E]));
}

/// The most elements of a group.
pub const LARGEST_GROUP: usize = <f32 as Lane>::MOST;

/// What the kernel reads. A group is as many elements as four vectors have lanes.
pub(crate) trait Source<E: Float>: Copy {
    /// Whether there may be so few elements that one call more shows.
    const MAY_BE_SHORT: bool;

    fn len(self) -> usize;

    /// Some of the elements.
    fn within(self, range: Range<usize>) -> Self;

    /// How they are read: [`Source::for_groups`] reads each range so.
    fn course(&self) -> Course;

    /// One element, or zero where it does not count.
    fn get(self, at: usize) -> E;

    /// How many come before the first from which on vectors of so many bytes are best loaded: less than a group.
    fn before_aligned(self, bytes: usize) -> usize;

    /// All of it as a slice, if it is one.
    fn slice(&self) -> Option<&[E]> {
        None
    }

    /// Gives `take` the groups of `range`, a multiple of them and fewer than 2^31, in any order, and returns how many
    /// elements were left out.
    /// (Not an iterator: its `next` might not be compiled for the level.)
    fn for_groups<S: Simd, F: Holds<E>>(
        self,
        simd: S,
        range: Range<usize>,
        take: impl FnMut([F::Native<S>; 4]),
    ) -> u64;

    /// The elements of `range`, less than a group, and zeros; and how many were left out. There is a group
    /// at least, and `range` begins or ends where all of it does.
    fn part<S: Simd, F: Holds<E>>(self, simd: S, range: Range<usize>) -> ([F::Native<S>; 4], u64);
}

impl<E: Float> Source<E> for &[E] {
    const MAY_BE_SHORT: bool = true;

    #[inline(always)]
    fn len(self) -> usize {
        self.len()
    }

    #[inline(always)]
    fn within(self, range: Range<usize>) -> Self {
        &self[range]
    }

    #[inline(always)]
    fn course(&self) -> Course {
        Course::of(size_of_val(*self))
    }

    #[inline(always)]
    fn get(self, at: usize) -> E {
        self[at]
    }

    #[inline(always)]
    fn before_aligned(self, bytes: usize) -> usize {
        match self.as_ptr().addr() % bytes {
            0 => 0,
            past => (bytes - past) / size_of::<E>(),
        }
    }

    #[inline(always)]
    fn for_groups<S: Simd, F: Holds<E>>(
        self,
        simd: S,
        range: Range<usize>,
        mut take: impl FnMut([F::Native<S>; 4]),
    ) -> u64 {
        far::for_groups(
            self.course(),
            self,
            None,
            range,
            4 * F::Native::<S>::LEN,
            #[inline(always)]
            |four, _| take(F::load(simd, four)),
        );
        0
    }

    #[inline(always)]
    fn slice(&self) -> Option<&[E]> {
        Some(self)
    }

    /// A whole group, of which only some lanes are kept.
    #[inline(always)]
    fn part<S: Simd, F: Holds<E>>(self, simd: S, range: Range<usize>) -> ([F::Native<S>; 4], u64) {
        let group = 4 * F::Native::<S>::LEN;
        let from = if range.start == 0 { 0 } else { self.len() - group };
        (keep::<S, F>(simd, F::load(simd, &self[from..from + group]), &range), 0)
    }
}

/// The first lanes of a group, as many as `range` has; or the last ones, if that does not begin at 0.
#[inline(always)]
fn keep<S: Simd, F: Lane>(
    simd: S,
    [a, b, c, d]: [F::Native<S>; 4],
    range: &Range<usize>,
) -> [F::Native<S>; 4] {
    let len = F::Native::<S>::LEN;
    let (group, kept) = (4 * len, range.len());
    let place = if range.start == 0 { 2 * F::MOST - kept } else { F::MOST - (group - kept) };
    let keep = &F::keep()[place..][..group];
    let [i, j, k] = [len, 2 * len, 3 * len];
    [
        and::<S, F>(simd, a, &keep[..i]),
        and::<S, F>(simd, b, &keep[i..j]),
        and::<S, F>(simd, c, &keep[j..k]),
        and::<S, F>(simd, d, &keep[k..]),
    ]
}

#[inline(always)]
fn and<S: Simd, F: Lane>(simd: S, v: F::Native<S>, keep: &[F::Bits]) -> F::Native<S> {
    let keep = Bits::<S, F>::from_slice(simd, keep);
    F::Native::<S>::from_bits(v.to_bits() & keep)
}

/// Elements of a slice, zeros for those that do not count. Replaced in the kernel's registers, because to
/// copy them first takes longer than to add them.
#[derive(Clone, Copy, Debug)]
pub struct Counted<'a, E> {
    data: &'a [E],
    mask: Option<&'a [u8]>,
    skips: bool,
    /// Of these elements, or of all that they are among.
    bytes: usize,
}

impl<'a, E> Counted<'a, E> {
    /// Those whose byte in `mask` (as many) is not 0 count; but not what is missing, if that is skipped.
    pub fn new(data: &'a [E], mask: Option<&'a [u8]>, skips_missing: bool) -> Self {
        assert!(mask.is_none_or(|mask| mask.len() == data.len()));
        Self { data, mask, skips: skips_missing, bytes: size_of_val(data) }
    }

    /// The same among so many bytes that are read one after the other.
    pub fn among(self, bytes: usize) -> Self {
        Self { bytes: Course::bytes_among(size_of_val(self.data), bytes), ..self }
    }

    /// Whether they come from far, and would not be taken to by themselves; or not from so far.
    pub fn is_far_among_others(&self) -> bool {
        let [own, among] = [size_of_val(self.data), self.bytes].map(Course::of);
        among.ahead.is_some() && (own.ahead.is_none() || own.from_end && !among.from_end)
    }

    /// The elements, those that do not count among them.
    #[inline(always)]
    pub(crate) fn data(&self) -> &'a [E] {
        self.data
    }

    pub(crate) fn all_count(&self) -> bool {
        self.mask.is_none() && !self.skips
    }

    /// How they are read.
    #[inline(always)]
    pub(crate) fn course(&self) -> Course {
        Course::of(self.bytes)
    }
}

impl<E: Float> Counted<'_, E> {
    /// A group from an element on, zeros for those that do not count, and a bit for each that does.
    #[inline(always)]
    fn load<S: Simd, F: Holds<E>>(self, simd: S, from: usize) -> ([F::Native<S>; 4], u64) {
        let end = from + 4 * F::Native::<S>::LEN;
        let mask = self.mask.map(|mask| &mask[from..end]);
        F::load_counted(simd, &self.data[from..end], mask, self.skips)
    }

    /// The same, and how many do not.
    #[inline(always)]
    pub(crate) fn group<S: Simd, F: Holds<E>>(
        self,
        simd: S,
        from: usize,
    ) -> ([F::Native<S>; 4], u64) {
        let (four, counts) = self.load::<S, F>(simd, from);
        (four, 4 * F::Native::<S>::LEN as u64 - u64::from(counts.count_ones()))
    }

    /// All elements, zeros for those that do not count.
    #[inline(always)]
    pub(crate) fn to_vec(self) -> Vec<E> {
        let missing = |x: E| self.skips && x.is_missing();
        let kept = |x: E, counts: bool| if counts && !missing(x) { x } else { E::zero() };
        match self.mask {
            Some(mask) => {
                self.data.iter().zip(mask).map(|(&x, &byte)| kept(x, byte != 0)).collect()
            }
            None => self.data.iter().map(|&x| kept(x, true)).collect(),
        }
    }
}

impl<E> Default for Counted<'_, E> {
    fn default() -> Self {
        Self { data: &[], mask: None, skips: false, bytes: 0 }
    }
}

impl<E: Float> Source<E> for Counted<'_, E> {
    const MAY_BE_SHORT: bool = false;

    #[inline(always)]
    fn len(self) -> usize {
        self.data.len()
    }

    #[inline(always)]
    fn within(self, range: Range<usize>) -> Self {
        let mask = self.mask.map(|mask| &mask[range.clone()]);
        Self { data: &self.data[range], mask, ..self }
    }

    #[inline(always)]
    fn course(&self) -> Course {
        self.course()
    }

    #[inline(always)]
    fn get(self, at: usize) -> E {
        let x = self.data[at];
        if self.mask.is_some_and(|mask| mask[at] == 0) || (self.skips && x.is_missing()) {
            E::zero()
        } else {
            x
        }
    }

    #[inline(always)]
    fn before_aligned(self, bytes: usize) -> usize {
        self.data.before_aligned(bytes)
    }

    #[inline(always)]
    fn for_groups<S: Simd, F: Holds<E>>(
        self,
        simd: S,
        range: Range<usize>,
        mut take: impl FnMut([F::Native<S>; 4]),
    ) -> u64 {
        let len = 4 * F::Native::<S>::LEN;
        let mut left_out = range.len() as u64;
        let masks_are_bits = S::f64s::LEN == 8;
        if F::KEEPS_NANS_APART && !masks_are_bits && self.skips && self.mask.is_none() {
            let mut counts = Bits::<S, F>::splat(simd, F::low(0));
            far::for_groups(
                self.course(),
                self.data,
                None,
                range,
                len,
                #[inline(always)]
                |four, _| take(F::load_numbers(simd, four, &mut counts)),
            );
            let counted: i64 = counts.as_slice().iter().map(|&lane| F::integer(lane)).sum();
            return left_out.wrapping_add_signed(counted);
        }
        far::for_groups(
            self.course(),
            self.data,
            self.mask,
            range,
            len,
            #[inline(always)]
            |four, mask| {
                let (four, counts) = F::load_counted(simd, four, mask, self.skips);
                left_out -= u64::from(counts.count_ones());
                take(four);
            },
        );
        left_out
    }

    /// A whole group, of which only some lanes are kept.
    #[inline(always)]
    fn part<S: Simd, F: Holds<E>>(self, simd: S, range: Range<usize>) -> ([F::Native<S>; 4], u64) {
        let (group, kept) = (4 * F::Native::<S>::LEN, range.len());
        let from = if range.start == 0 { 0 } else { self.len() - group };
        let (four, counts) = self.load::<S, F>(simd, from);
        let left_out = !counts >> if range.start == 0 { 0 } else { group - kept };
        let left_out = left_out & !(u64::MAX << kept);
        (keep::<S, F>(simd, four, &range), left_out.count_ones().into())
    }
}

/// Elements that lie apart, as a source.
#[derive(Clone, Copy)]
pub(crate) struct Copied<A>(pub A);

impl<E: Float, A: Strided<E>> Source<E> for Copied<A> {
    const MAY_BE_SHORT: bool = false;

    #[inline(always)]
    fn len(self) -> usize {
        self.0.count()
    }

    #[inline(always)]
    fn within(self, range: Range<usize>) -> Self {
        Self(self.0.within(range))
    }

    #[inline(always)]
    fn course(&self) -> Course {
        self.0.course()
    }

    #[inline(always)]
    fn get(self, at: usize) -> E {
        let mut one = [E::from_bits(0)];
        self.0.copy(at, &mut one);
        one[0]
    }

    #[inline(always)]
    fn before_aligned(self, bytes: usize) -> usize {
        self.0.before_aligned(bytes)
    }

    #[inline(always)]
    fn for_groups<S: Simd, F: Holds<E>>(
        self,
        simd: S,
        range: Range<usize>,
        mut take: impl FnMut([F::Native<S>; 4]),
    ) -> u64 {
        self.0.for_groups(
            simd.level(),
            range,
            4 * F::Native::<S>::LEN,
            #[inline(always)]
            |four| take(F::load(simd, four)),
        );
        0
    }

    #[inline(always)]
    fn part<S: Simd, F: Holds<E>>(self, simd: S, range: Range<usize>) -> ([F::Native<S>; 4], u64) {
        let mut four = [E::from_bits(0); LARGEST_GROUP];
        debug_assert!(range.len() < 4 * F::Native::<S>::LEN);
        self.0.copy(range.start, &mut four[..range.len()]);
        (F::load(simd, &four[..4 * F::Native::<S>::LEN]), 0)
    }
}
