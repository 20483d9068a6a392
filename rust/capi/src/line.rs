//! Elements of one line that lie apart, copied group by group straight into the kernel's registers.
//!
//! What limits such a mean is how fast cache lines arrive, if only the copying keeps up: through a
//! buffer it and the sum would take turns.

use crate::gather::gather_every;
use crate::layout::Axis;
use mean_core::{Course, Element, Level, Strided, CACHE_LINE, LARGEST_GROUP};
use std::ops::Range;

/// Elements of one line, all of which count, in native byte order.
#[derive(Clone, Copy)]
pub(crate) struct Line<E> {
    data: *const E,
    len: usize,
    /// In bytes.
    stride: isize,
    /// From the first element to the last, or of all that this is among.
    bytes: usize,
}

impl<E: Element> Line<E> {
    /// # Safety
    ///
    /// All elements along `axis`, of any alignment, must be readable as long as this line lives, and
    /// nothing may write to them.
    pub unsafe fn new(data: *const u8, axis: &Axis) -> Self {
        let bytes = axis.data.unsigned_abs().saturating_mul(axis.len);
        Self { data: data.cast(), len: axis.len, stride: axis.data, bytes }
    }

    /// The same among so many bytes that are read one after the other.
    pub fn among(self, bytes: usize) -> Self {
        Self { bytes: Course::bytes_among(self.bytes, bytes), ..self }
    }

    /// Where the elements of `range` begin.
    #[inline(always)]
    fn place(self, range: Range<usize>) -> *const u8 {
        // Callers of a safe trait must not get beyond what `new`'s caller vouches for.
        assert!(range.start <= range.end && range.end <= self.len);
        // (Only one stride beyond the last element may the product wrap.)
        self.data.cast::<u8>().wrapping_offset(self.stride.wrapping_mul(range.start as isize))
    }

    /// Asks for the cache lines of some elements, if the first is there.
    #[inline(always)]
    fn fetch(self, at: usize, len: usize, is_far: bool) {
        if at < self.len {
            let (from, apart) = (self.place(at..at), self.stride.unsigned_abs());
            for i in 0..(len * apart).div_ceil(CACHE_LINE) as isize {
                let place = from.wrapping_offset(i * CACHE_LINE as isize * self.stride.signum());
                prefetch(place, is_far);
            }
        }
    }

    /// Gives `take` groups that `fill` copies, each from the place of its first element.
    #[inline(always)]
    fn fill_groups(
        self,
        course: Course,
        block: Range<usize>,
        len: usize,
        mut take: impl FnMut(&[E]),
        fill: impl Fn(&mut [E], *const u8),
    ) {
        course.for_places(
            block,
            len,
            self.stride.unsigned_abs(),
            #[inline(always)]
            |at, next| {
                if let Some(ahead) = course.ahead {
                    self.fetch(next, len, ahead.is_far);
                }
                let mut group = [E::zero(); LARGEST_GROUP];
                fill(&mut group[..len], self.place(at..at + len));
                take(&group[..len]);
            },
        );
    }

    #[inline(always)]
    fn for_groups_in(
        self,
        course: Course,
        level: Level,
        range: Range<usize>,
        len: usize,
        take: impl FnMut(&[E]),
    ) {
        // A loop for each way to copy, and no choice within it.
        #[cfg(target_arch = "x86_64")]
        if let Level::Avx512(_) = level {
            let first = self.place(range.start..range.start).addr();
            macro_rules! masked {
                ($every:literal) => {{
                    let phase = masked::Phase::<$every>::of::<E>(first);
                    self.fill_groups(
                        course,
                        range,
                        len,
                        take,
                        #[inline(always)]
                        |group, from| {
                            // SAFETY: AVX-512 is there; as many elements, so far apart, of the line;
                            // `new`'s caller vouches for them.
                            unsafe { masked::copy::<E, $every>(group, from, phase) };
                        },
                    )
                }};
            }
            // In groups of whole vectors, as the kernel's are.
            match masked::every::<E>(self.stride).filter(|_| len.is_multiple_of(16)) {
                Some(2) => return masked!(2),
                Some(3) => return masked!(3),
                Some(4) => return masked!(4),
                _ => {}
            }
        }
        let _ = level; // elsewhere
        self.fill_groups(
            course,
            range,
            len,
            take,
            #[inline(always)]
            |group, from| {
                // Two loops: short enough to be unrolled.
                let half = len / 2;
                let (first, second) = group.split_at_mut(half);
                // SAFETY: as many elements of the line; `new`'s caller vouches for them.
                unsafe { gather_every(first, from, self.stride) };
                let from = from.wrapping_offset(self.stride * half as isize);
                // SAFETY: the elements that follow; as above.
                unsafe { gather_every(second, from, self.stride) };
            },
        );
    }
}

impl<E: Element> Strided<E> for Line<E> {
    #[inline(always)]
    fn count(self) -> usize {
        self.len
    }

    #[inline(always)]
    fn within(self, range: Range<usize>) -> Self {
        Self { data: self.place(range.clone()).cast(), len: range.len(), ..self }
    }

    /// In parts only where elements are less than a cache line apart: a group of others is as many as can be waited for.
    #[inline(always)]
    fn course(self) -> Course {
        let course = Course::of(self.bytes);
        if self.stride.unsigned_abs() < CACHE_LINE {
            course
        } else {
            Course { from_end: course.from_end, ..Course::IN_ORDER }
        }
    }

    #[inline(always)]
    fn before_aligned(self, bytes: usize) -> usize {
        // (Only AVX-512 has vectors of so many bytes.)
        #[cfg(target_arch = "x86_64")]
        if bytes == CACHE_LINE {
            let address = self.data.addr();
            return match masked::every::<E>(self.stride) {
                Some(2) => masked::Phase::<2>::before::<E>(address),
                Some(3) => masked::Phase::<3>::before::<E>(address),
                Some(4) => masked::Phase::<4>::before::<E>(address),
                _ => 0,
            };
        }
        let _ = bytes; // elsewhere
        0
    }

    #[inline(always)]
    fn copy(self, at: usize, to: &mut [E]) {
        let from = self.place(at..at + to.len());
        // SAFETY: as many elements of the line; `new`'s caller vouches for them.
        unsafe { gather_every(to, from, self.stride) };
    }

    #[inline(always)]
    fn for_groups(self, level: Level, range: Range<usize>, len: usize, take: impl FnMut(&[E])) {
        self.for_groups_in(self.course(), level, range, len, take);
    }
}

/// A hint, of whatever is there.
#[inline(always)]
fn prefetch(place: *const u8, is_far: bool) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_mm_prefetch, _MM_HINT_T0, _MM_HINT_T1};
        let place = place.cast();
        if is_far {
            // SAFETY: a hint, whatever the address: nothing is read.
            unsafe { _mm_prefetch::<_MM_HINT_T1>(place) };
        } else {
            // SAFETY: as above.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(place) };
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (place, is_far);
}

/// Loads of whole cache lines, if elements are aligned, that leave out what is between these: such bytes may be
/// another's, or not be there.
#[cfg(target_arch = "x86_64")]
mod masked {
    use mean_core::{Element, CACHE_LINE};
    use std::arch::x86_64::{
        __m512i, _mm512_mask_loadu_epi32, _mm512_mask_loadu_epi64, _mm512_mask_permutex_epi64,
        _mm512_mask_shuffle_epi32, _mm512_setzero_si512, _mm512_storeu_si512,
    };

    /// Of how many elements side by side a line has one, where a load has at least two of these.
    pub fn every<E>(stride: isize) -> Option<usize> {
        let (size, stride) = (size_of::<E>(), usize::try_from(stride).ok()?);
        let (every, is_whole) = (stride / size, stride.is_multiple_of(size));
        (is_whole && matches!((size, every), (4 | 8, 2..=4))).then_some(every)
    }

    /// Where in its cache line the first of some elements is, of which a line has one in `EVERY`.
    #[derive(Clone, Copy)]
    pub struct Phase<const EVERY: usize>(usize);

    impl<const EVERY: usize> Phase<EVERY> {
        /// Of the elements from `address` on; 0 where vectors of them would be in more cache lines than `EVERY`: then
        /// loads straddle two.
        pub fn of<E>(address: usize) -> Self {
            Self(Self::find::<E>(address).unwrap_or(0))
        }

        fn find<E>(address: usize) -> Option<usize> {
            let (size, past) = (size_of::<E>(), address % CACHE_LINE);
            // (Of every third all would do, but for each the lanes of each cache line are others.)
            let phases = if EVERY == 3 { 1 } else { EVERY };
            (past.is_multiple_of(size) && past / size < phases).then_some(past / size)
        }

        /// How many elements come before the first that has one; 0 if none has.
        pub fn before<E>(address: usize) -> usize {
            let step = EVERY * size_of::<E>();
            let has_one = |k: &usize| Self::find::<E>(address + k * step).is_some();
            (0..CACHE_LINE / size_of::<E>()).find(has_one).unwrap_or(0)
        }

        /// What the first load is of: a cache line, if there is a phase.
        #[inline(always)]
        pub fn first_line<E>(self, data: *const u8) -> *const E {
            data.cast::<E>().wrapping_sub(self.0)
        }
    }

    /// The lanes of the elements in each of the cache lines that have a vector of them, without a phase.
    const fn lanes<const EVERY: usize>(lanes: usize) -> [u64; EVERY] {
        let (mut masks, mut i) = ([0; EVERY], 0);
        while i < lanes {
            masks[i * EVERY / lanes] |= 1 << (i * EVERY % lanes);
            i += 1;
        }
        masks
    }

    /// Copies every so-many-th element: whole vectors of them, within each in another order.
    ///
    /// # Safety
    ///
    /// AVX-512 must be there, and as many elements from `data` on, of any alignment, of 8 bytes or 4.
    #[inline(always)]
    pub unsafe fn copy<E: Element, const EVERY: usize>(
        group: &mut [E],
        data: *const u8,
        phase: Phase<EVERY>,
    ) {
        let width = CACHE_LINE / size_of::<E>();
        let masks = const { lanes::<EVERY>(CACHE_LINE / size_of::<E>()) };
        // (Of the lanes of each load the phase shifts none into the next: it is less than `EVERY`, and 0 for 3.)
        let (first_line, phase) = (phase.first_line::<E>(data), phase.0);
        for (i, vector) in group.chunks_exact_mut(width).enumerate() {
            let line = |k: usize| first_line.wrapping_add((i * EVERY + k) * width);
            // SAFETY: AVX-512 is there.
            let nothing = unsafe { _mm512_setzero_si512() };
            // SAFETY: as above; these lanes are elements, which the caller vouches for; so also below.
            let mut elements = unsafe { load(nothing, masks[0] << phase, line(0)) };
            if EVERY == 3 {
                // Each in lanes of their own.
                // SAFETY: as above.
                elements = unsafe { load(elements, masks[1], line(1)) };
                // SAFETY: as above.
                elements = unsafe { load(elements, masks[2], line(2)) };
            } else {
                // All in the same lanes: but of four lanes in a row each line's elements go to another.
                macro_rules! permuted {
                    ($k:literal, $order:literal) => {
                        // SAFETY: as above.
                        let more = unsafe { load(nothing, masks[$k] << phase, line($k)) };
                        let mask = masks[$k] << (phase ^ $k);
                        // SAFETY: AVX-512 is there.
                        elements = unsafe { permute::<E, $order>(elements, mask, more) };
                    };
                }
                permuted!(1, 0b10_11_00_01);
                if EVERY == 4 {
                    permuted!(2, 0b01_00_11_10);
                    permuted!(3, 0b00_01_10_11);
                }
            }
            // SAFETY: `vector` is as large.
            unsafe { _mm512_storeu_si512(vector.as_mut_ptr().cast(), elements) };
        }
    }

    /// `elements`, but for the lanes of a mask, which are loaded: only these are read.
    ///
    /// # Safety
    ///
    /// AVX-512 must be there, and what is at the lanes of the mask.
    #[inline(always)]
    unsafe fn load<E>(elements: __m512i, mask: u64, from: *const E) -> __m512i {
        if size_of::<E>() == 8 {
            // SAFETY: the caller vouches for it; so also below.
            unsafe { _mm512_mask_loadu_epi64(elements, mask as u8, from.cast()) }
        } else {
            // SAFETY: as above.
            unsafe { _mm512_mask_loadu_epi32(elements, mask as u16, from.cast()) }
        }
    }

    /// `elements`, but for the lanes of a mask, which are those of `more`, four in a row in another order.
    ///
    /// # Safety
    ///
    /// AVX-512 must be there.
    #[inline(always)]
    unsafe fn permute<E, const ORDER: i32>(elements: __m512i, mask: u64, more: __m512i) -> __m512i {
        if size_of::<E>() == 8 {
            // SAFETY: it is there; so also below.
            unsafe { _mm512_mask_permutex_epi64::<ORDER>(elements, mask as u8, more) }
        } else {
            // SAFETY: as above.
            unsafe { _mm512_mask_shuffle_epi32::<ORDER>(elements, mask as u16, more) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mean_core::{levels, Ahead};
    use std::fmt::Debug;

    /// Elements that lie `stride` bytes apart, from so many bytes after a cache line's first on: the line has each of
    /// them once, in groups and one by one, and nothing of what is between.
    fn has_all<E: Element + Ord + Debug>(stride: isize, past: usize, element: impl Fn(u8) -> E) {
        for (name, level) in levels() {
            for (groups, len) in [(1, 8), (3, 16), (2, 32), (3, 64)] {
                let mut tail = [E::zero(); 5];
                let n = groups * len + tail.len();
                let extent = stride.unsigned_abs() * (n - 1) + size_of::<E>();
                let mut bytes = vec![0xff_u8; CACHE_LINE + extent];
                let begin = (past.wrapping_sub(bytes.as_ptr().addr())) % CACHE_LINE;
                let first = if stride < 0 { begin + extent - size_of::<E>() } else { begin };
                let want: Vec<E> = (0..n).map(|i| element(i as u8)).collect();
                for (i, &x) in want.iter().enumerate() {
                    let at = bytes[first.wrapping_add_signed(stride * i as isize)..].as_mut_ptr();
                    // SAFETY: within `bytes`.
                    unsafe { at.cast::<E>().write_unaligned(x) };
                }
                let axis = Axis { len: n, data: stride, mask: 0, out: 0 };
                // SAFETY: these elements.
                let line = unsafe { Line::<E>::new(bytes.as_ptr().wrapping_add(first), &axis) };
                let ahead = Some(Ahead { bytes: 100, is_far: true });
                let far = |parts| Course { parts, ahead, from_end: parts == 4 };
                for course in [Course::IN_ORDER, far(1), far(4)] {
                    let mut got = vec![];
                    line.for_groups_in(course, level, 0..groups * len, len, |group| {
                        assert_eq!(group.len(), len);
                        got.extend_from_slice(group);
                    });
                    line.within(2..n).copy(groups * len - 2, &mut tail);
                    got.extend_from_slice(&tail);
                    got.sort();
                    let how = format!("{course:?}, stride {stride}, {groups} groups of {len}");
                    assert_eq!(got, want, "{name}, {how}, from {past} on");
                }
            }
        }
    }

    #[test]
    fn a_line_has_its_elements_and_no_others() {
        for stride in 8..40 {
            for stride in [stride, -stride] {
                has_all::<u8>(stride, 0, |i| i);
                has_all::<u16>(stride, 0, |i| u16::from(i) << 8 | 1);
                for past in 0..CACHE_LINE {
                    has_all::<u32>(stride, past, |i| u32::from(i) << 24 | 1);
                    has_all::<u64>(stride, past, |i| u64::from(i) << 56 | 1);
                }
            }
        }
    }

    /// Wherever aligned elements begin, the first load after those before is of a cache line, and there is an element of a
    /// vector in each of as many cache lines as there are loads.
    #[test]
    #[cfg(target_arch = "x86_64")]
    fn no_load_straddles_two_cache_lines() {
        fn check<E: Element, const EVERY: usize>() {
            let (size, lanes) = (size_of::<E>(), CACHE_LINE / size_of::<E>());
            for past in 0..CACHE_LINE {
                let (address, stride) = (4096 + past, EVERY * size);
                let axis = Axis { len: 100, data: stride as isize, mask: 0, out: 0 };
                // SAFETY: no element is read.
                let line = unsafe { Line::<E>::new(std::ptr::without_provenance(address), &axis) };
                assert_eq!(line.before_aligned(CACHE_LINE / 2), 0);
                let before = line.before_aligned(CACHE_LINE);
                if past % size != 0 {
                    assert_eq!(before, 0);
                    continue;
                }
                assert!(before < lanes);
                let first = address + before * stride;
                let phase = masked::Phase::<EVERY>::of::<E>(first);
                let first_line = phase.first_line::<E>(std::ptr::without_provenance(first)).addr();
                assert_eq!(first_line, first / CACHE_LINE * CACHE_LINE);
                let last = first + (lanes - 1) * stride;
                assert_eq!((last - first_line) / CACHE_LINE, EVERY - 1);
            }
        }
        check::<u32, 2>();
        check::<u32, 3>();
        check::<u32, 4>();
        check::<u64, 2>();
        check::<u64, 3>();
        check::<u64, 4>();
    }

    #[test]
    #[should_panic]
    fn no_group_is_beyond_the_line() {
        let data = [0_u32; 32];
        let axis = Axis { len: 16, data: 8, mask: 0, out: 0 };
        // SAFETY: the even elements.
        let line = unsafe { Line::<u32>::new(data.as_ptr().cast(), &axis) };
        line.for_groups(Level::new(), 8..24, 16, |_| {});
    }
}
