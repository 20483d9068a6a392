//! Elements of one line that lie apart, copied group by group straight into the kernel's registers.
//!
//! What limits such a mean is how fast cache lines arrive, if only the copying keeps up: through a
//! buffer it and the sum would take turns.

use crate::gather::gather_every;
use crate::layout::Axis;
use mean_core::{Ahead, Element, Level, Strided, CACHE_LINE, LARGEST_GROUP};
use std::ops::Range;

/// Elements of one line, all of which count, in native byte order.
#[derive(Clone, Copy)]
pub(crate) struct Line<E> {
    data: *const E,
    len: usize,
    /// In bytes.
    stride: isize,
}

impl<E: Element> Line<E> {
    /// # Safety
    ///
    /// All elements along `axis`, of any alignment, must be readable as long as this line lives, and
    /// nothing may write to them.
    pub unsafe fn new(data: *const u8, axis: &Axis) -> Self {
        Self { data: data.cast(), len: axis.len, stride: axis.data }
    }

    /// Where the elements of `range` begin.
    #[inline(always)]
    fn place(self, range: Range<usize>) -> *const u8 {
        // Callers of a safe trait must not get beyond what `new`'s caller vouches for.
        assert!(range.start <= range.end && range.end <= self.len);
        // (Only one stride beyond the last element may the product wrap.)
        self.data.cast::<u8>().wrapping_offset(self.stride.wrapping_mul(range.start as isize))
    }

    /// How early what follows is asked for. (Not where each element is in a cache line of its own: a group is
    /// as many as can be waited for.)
    #[inline(always)]
    fn ahead(self) -> Option<Ahead> {
        let apart = self.stride.unsigned_abs();
        if apart < CACHE_LINE {
            Ahead::of(apart.saturating_mul(self.len))
        } else {
            None
        }
    }

    /// Asks early for the cache lines of elements that follow those from `at` on.
    #[inline(always)]
    fn fetch(self, at: usize, len: usize, ahead: Ahead) {
        let apart = self.stride.unsigned_abs();
        let next = at + ahead.bytes / apart;
        if next < self.len {
            let from = self.place(next..next);
            for i in 0..(len * apart).div_ceil(CACHE_LINE) as isize {
                let place = from.wrapping_offset(i * CACHE_LINE as isize * self.stride.signum());
                prefetch(place, ahead.is_far);
            }
        }
    }

    /// Gives `take` groups that `fill` copies, each from the place of its first element.
    #[inline(always)]
    fn fill_groups(
        self,
        ahead: Option<Ahead>,
        range: Range<usize>,
        len: usize,
        mut take: impl FnMut(&[E]),
        fill: impl Fn(&mut [E], *const u8),
    ) {
        for at in range.step_by(len) {
            if let Some(ahead) = ahead {
                self.fetch(at, len, ahead);
            }
            let mut group = [E::zero(); LARGEST_GROUP];
            fill(&mut group[..len], self.place(at..at + len));
            take(&group[..len]);
        }
    }

    #[inline(always)]
    fn for_groups_ahead(
        self,
        ahead: Option<Ahead>,
        level: Level,
        range: Range<usize>,
        len: usize,
        take: impl FnMut(&[E]),
    ) {
        // A loop for each way to copy, and no choice within it.
        #[cfg(target_arch = "x86_64")]
        if let Level::Avx512(_) = level {
            macro_rules! masked {
                ($every:literal) => {
                    self.fill_groups(
                        ahead,
                        range,
                        len,
                        take,
                        #[inline(always)]
                        |group, from| {
                            // SAFETY: AVX-512 is there; as many elements, so far apart, of the line;
                            // `new`'s caller vouches for them.
                            unsafe { masked::copy::<E, $every>(group, from) };
                        },
                    )
                };
            }
            // Where a load has at least four elements; and in groups of whole vectors, as the kernel's are.
            match (size_of::<E>(), self.stride, len % 16) {
                (8, 16, 0) | (4, 8, 0) => return masked!(2),
                (4, 12, 0) => return masked!(3),
                (4, 16, 0) => return masked!(4),
                _ => {}
            }
        }
        let _ = level; // elsewhere
        self.fill_groups(
            ahead,
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
    fn rest(self, at: usize) -> Self {
        Self { data: self.place(at..self.len).cast(), len: self.len - at, ..self }
    }

    #[inline(always)]
    fn copy(self, at: usize, to: &mut [E]) {
        let from = self.place(at..at + to.len());
        // SAFETY: as many elements of the line; `new`'s caller vouches for them.
        unsafe { gather_every(to, from, self.stride) };
    }

    #[inline(always)]
    fn for_groups(self, level: Level, range: Range<usize>, len: usize, take: impl FnMut(&[E])) {
        self.for_groups_ahead(self.ahead(), level, range, len, take);
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

/// Loads that leave out what is between the elements: these bytes may be another's, or not be there.
#[cfg(target_arch = "x86_64")]
mod masked {
    use mean_core::Element;
    use std::arch::x86_64::{
        _mm512_mask_loadu_epi32, _mm512_mask_loadu_epi64, _mm512_setzero_si512, _mm512_storeu_si512,
    };

    /// Where, in elements, the loads begin that fill a vector with every so-many-th element, and the
    /// lanes that each fills: not those of another. Where all would fill the same lanes, each begins
    /// one earlier than the one before.
    const fn loads<const EVERY: usize>(lanes: usize) -> [(usize, u64); EVERY] {
        let (mut loads, mut filled, mut k) = ([(0, 0); EVERY], 0_u64, 0);
        while k < EVERY {
            let from = k * lanes - if lanes.is_multiple_of(EVERY) { k } else { 0 };
            let (mut mask, mut lane) = (0, 0);
            while lane < lanes {
                if (from + lane).is_multiple_of(EVERY) {
                    mask |= 1 << lane;
                }
                lane += 1;
            }
            assert!(filled & mask == 0);
            filled |= mask;
            loads[k] = (from, mask);
            k += 1;
        }
        assert!(filled.count_ones() as usize == lanes);
        loads
    }

    /// Copies every so-many-th element: whole vectors of them, within each in another order.
    ///
    /// # Safety
    ///
    /// AVX-512 must be there, and as many elements from `data` on, of any alignment, of 8 bytes or 4.
    #[inline(always)]
    pub unsafe fn copy<E: Element, const EVERY: usize>(group: &mut [E], data: *const u8) {
        let lanes = 64 / size_of::<E>();
        for (i, vector) in group.chunks_exact_mut(lanes).enumerate() {
            let data = data.cast::<E>().wrapping_add(i * EVERY * lanes);
            // SAFETY: AVX-512 is there.
            let mut elements = unsafe { _mm512_setzero_si512() };
            let mut k = 0;
            while k < EVERY {
                let (from, mask) = const { loads::<EVERY>(64 / size_of::<E>()) }[k];
                let data = data.wrapping_add(from);
                elements = if size_of::<E>() == 8 {
                    // SAFETY: a masked load reads the lanes of its mask alone: elements that the caller
                    // vouches for.
                    unsafe { _mm512_mask_loadu_epi64(elements, mask as u8, data.cast()) }
                } else {
                    // SAFETY: as above.
                    unsafe { _mm512_mask_loadu_epi32(elements, mask as u16, data.cast()) }
                };
                k += 1;
            }
            // SAFETY: `vector` is as large.
            unsafe { _mm512_storeu_si512(vector.as_mut_ptr().cast(), elements) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mean_core::levels;
    use std::fmt::Debug;

    /// Elements of `fill` that lie `stride` bytes apart: the line has each of them once, in groups and
    /// one by one, and nothing of what is between.
    fn has_all<E: Element + Ord + Debug>(stride: isize, element: impl Fn(u8) -> E) {
        for (name, level) in levels() {
            for (groups, len) in [(1, 8), (3, 16), (2, 32), (3, 64)] {
                let mut tail = [E::zero(); 5];
                let n = groups * len + tail.len();
                let mut bytes = vec![0xff_u8; stride.unsigned_abs() * (n - 1) + size_of::<E>()];
                let first = if stride < 0 { bytes.len() - size_of::<E>() } else { 0 };
                let want: Vec<E> = (0..n).map(|i| element(i as u8)).collect();
                for (i, &x) in want.iter().enumerate() {
                    let at = bytes[first.wrapping_add_signed(stride * i as isize)..].as_mut_ptr();
                    // SAFETY: within `bytes`.
                    unsafe { at.cast::<E>().write_unaligned(x) };
                }
                let axis = Axis { len: n, data: stride, mask: 0, out: 0 };
                // SAFETY: these elements.
                let line = unsafe { Line::<E>::new(bytes.as_ptr().wrapping_add(first), &axis) };
                for ahead in [None, Some(Ahead { bytes: 100, is_far: true })] {
                    let mut got = vec![];
                    line.for_groups_ahead(ahead, level, 0..groups * len, len, |group| {
                        assert_eq!(group.len(), len);
                        got.extend_from_slice(group);
                    });
                    line.rest(2).copy(groups * len - 2, &mut tail);
                    got.extend_from_slice(&tail);
                    got.sort();
                    let how = format!("{ahead:?}, stride {stride}, {groups} groups of {len}");
                    assert_eq!(got, want, "{name}, {how}");
                }
            }
        }
    }

    #[test]
    fn a_line_has_its_elements_and_no_others() {
        for stride in 8..40 {
            for stride in [stride, -stride] {
                has_all::<u8>(stride, |i| i);
                has_all::<u16>(stride, |i| u16::from(i) << 8 | 1);
                has_all::<u32>(stride, |i| u32::from(i) << 24 | 1);
                has_all::<u64>(stride, |i| u64::from(i) << 56 | 1);
            }
        }
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
