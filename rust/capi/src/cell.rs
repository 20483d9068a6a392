//! The elements of one cell of the result after the other: in place where they lie side by side,
//! else packed into a small buffer.
//!
//! Only the bytes of elements are read: never a slice over a view's extent, which would assert bytes
//! between them that no caller has promised.

use crate::layout::{Axis, Odometer, PerAxis, Place};
use mean_core::{mean_as, mean_of_runs, vectorize, Binary, Element, Level, Runs};

/// Bytes of the buffer: half of a small L1 cache.
const BUFFER: usize = 1 << 14;
/// Shorter runs than this many elements are packed together.
const WORTH_READING_IN_PLACE: usize = 256;

/// Where the elements are.
pub(crate) struct Source {
    pub data: *const u8,
    /// A truth value for each element; where it is 0, the element does not count.
    pub mask: Option<*const u8>,
    /// The axes of the elements within a cell.
    pub axes: PerAxis<Axis>,
    /// Whether their bytes are in the other order.
    pub swapped: bool,
    /// Where NaNs do not count: the distance to the other part of a complex number, which must not
    /// be one either; 0 for a real one.
    pub skip: Option<isize>,
}

/// The cell whose mean is to be taken.
pub(crate) struct Cell<'a, E> {
    level: Level,
    source: &'a Source,
    cells: Odometer<'a>,
    /// The innermost axis, and the lines along it.
    inner: Axis,
    lines: Odometer<'a>,
    /// How many elements of the line have been read, and whether there is no further line.
    read: usize,
    ended: bool,
    in_place: bool,
    /// The run, if it is packed, else where it is.
    buffer: Vec<E>,
    run: *const E,
    count: u64,
}

impl<'a, E: Element> Cell<'a, E> {
    /// The first cell.
    ///
    /// # Safety
    ///
    /// Every element of `source`, with its other part and its truth value, must be readable in every
    /// cell as long as this cell lives, and nothing may write to them.
    pub unsafe fn new(level: Level, source: &'a Source, cells: &'a [Axis], first: Place) -> Self {
        const ONE: Axis = Axis { len: 1, data: 0, mask: 0, out: 0 };
        let (&inner, outer) = source.axes.split_last().unwrap_or((&ONE, &[]));
        let size = size_of::<E>();
        let plain = !source.swapped && source.skip.is_none() && source.mask.is_none();
        let side_by_side = inner.len == 1 || inner.data == size as isize;
        let aligned = source.data.wrapping_offset(first.data).cast::<E>().is_aligned()
            && outer.iter().chain(cells).all(|axis| axis.data % align_of::<E>() as isize == 0);
        let long = outer.is_empty() || inner.len >= WORTH_READING_IN_PLACE;
        let in_place = plain && side_by_side && aligned && long;
        let elements = source.axes.iter().fold(1_usize, |n, axis| n.saturating_mul(axis.len));
        let room = if in_place { 0 } else { elements.min(BUFFER / size) };
        Self {
            level,
            source,
            cells: Odometer::new(cells, first),
            inner,
            lines: Odometer::new(outer, first),
            read: 0,
            ended: false,
            in_place,
            buffer: Vec::with_capacity(room),
            run: std::ptr::null(),
            count: 0,
        }
    }

    /// Where the cell is.
    pub fn place(&self) -> Place {
        self.cells.place
    }

    /// Goes to the next cell; false after the last.
    pub fn advance(&mut self) -> bool {
        self.cells.advance()
    }

    /// The mean; `None` where no element counts.
    pub fn mean(&mut self, format: Binary) -> Option<u64> {
        self.rewind();
        self.read_run();
        if self.ended {
            // Nearly always: one run in place, or one buffer.
            return mean_as(self.level, self.run(), self.count, format);
        }
        self.rewind();
        mean_of_runs(self.level, self, format)
    }

    /// Reads the next run; false after the last.
    fn read_run(&mut self) -> bool {
        if self.ended {
            return false;
        }
        if self.in_place {
            self.run = self.source.data.wrapping_offset(self.lines.place.data).cast();
            self.count += self.inner.len as u64;
            self.ended = !self.lines.advance();
            return true;
        }
        self.buffer.clear();
        while !self.ended && self.buffer.len() < self.buffer.capacity() {
            let room = self.buffer.capacity() - self.buffer.len();
            let len = room.min(self.inner.len - self.read);
            self.count += self.pack(len) as u64;
            self.read += len;
            if self.read == self.inner.len {
                self.read = 0;
                self.ended = !self.lines.advance();
            }
        }
        true
    }

    /// The run that was read.
    fn run(&self) -> &[E] {
        if self.in_place {
            // SAFETY: a line of elements side by side, native and aligned; `new`'s caller vouches for
            // them.
            unsafe { std::slice::from_raw_parts(self.run, self.inner.len) }
        } else {
            &self.buffer
        }
    }

    /// Appends `len` elements of the line to the buffer, zeros for those that do not count. Returns
    /// how many count.
    fn pack(&mut self, len: usize) -> usize {
        let Source { data, mask, swapped, skip, .. } = *self.source;
        let Axis { data: stride, mask: mask_stride, .. } = self.inner;
        let from = self.lines.place.moved(&self.inner, self.read as isize);
        let data = data.wrapping_offset(from.data);
        let mask = mask.map(|mask| mask.wrapping_offset(from.mask));
        let start = self.buffer.len();
        // SAFETY: the places are those of `len` elements of the line, and their other parts and truth
        // values; `new`'s caller vouches for them. The loops are vectors for the common strides.
        let element = |at: *const u8| unsafe { at.cast::<E>().read_unaligned() };
        let truth = |i: usize, stride: isize| {
            let at = mask.map(|mask| mask.wrapping_offset(stride * i as isize));
            // SAFETY: as above.
            at.is_none_or(|at| unsafe { at.read() != 0 })
        };
        let size = size_of::<E>() as isize;
        vectorize(
            self.level,
            #[inline(always)]
            || {
                let (buffer, n) = (&mut self.buffer, len as isize);
                if stride == size {
                    buffer.extend((0..n).map(|i| element(data.wrapping_offset(size * i))));
                } else if stride == 2 * size {
                    buffer.extend((0..n).map(|i| element(data.wrapping_offset(2 * size * i))));
                } else if stride == 3 * size {
                    buffer.extend((0..n).map(|i| element(data.wrapping_offset(3 * size * i))));
                } else if stride == 4 * size {
                    buffer.extend((0..n).map(|i| element(data.wrapping_offset(4 * size * i))));
                } else {
                    buffer.extend((0..n).map(|i| element(data.wrapping_offset(stride * i))));
                }
                let packed = &mut buffer[start..];
                if swapped {
                    packed.iter_mut().for_each(|x| *x = x.swap_bytes());
                }
                match skip {
                    None if mask.is_none() => len,
                    None if mask_stride == 1 => keep(packed, |i, _| truth(i, 1)),
                    None => keep(packed, |i, _| truth(i, mask_stride)),
                    Some(0) if mask.is_none() => keep(packed, |_, x| !x.is_missing()),
                    Some(other) => keep(packed, |i, x| {
                        let part = element(data.wrapping_offset(stride * i as isize + other));
                        let part = if swapped { part.swap_bytes() } else { part };
                        truth(i, mask_stride) && !x.is_missing() && !part.is_missing()
                    }),
                }
            },
        )
    }
}

/// Puts zeros in place of the elements that do not count; returns how many do.
#[inline(always)]
fn keep<E: Element>(elements: &mut [E], counts: impl Fn(usize, E) -> bool) -> usize {
    let mut count = 0;
    for (i, x) in elements.iter_mut().enumerate() {
        let counts = counts(i, *x);
        count += usize::from(counts);
        *x = if counts { *x } else { E::zero() };
    }
    count
}

impl<E: Element> Runs<E> for Cell<'_, E> {
    fn next_run(&mut self) -> Option<&[E]> {
        self.read_run().then(|| self.run())
    }

    fn count(&self) -> u64 {
        self.count
    }

    fn rewind(&mut self) {
        self.lines.start_at(self.cells.place);
        (self.read, self.ended, self.count) = (0, false, 0);
    }
}
