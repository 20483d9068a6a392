//! The elements of one cell of the result after the other: in place where they lie side by side, one by
//! one where they are on one line, else packed into a small buffer.

use crate::gather::{gather, gather_every, Source};
use crate::layout::{Axis, Odometer, Place};
use crate::line::Line;
use mean_core::{vectorize, Binary, Counted, Element, Level, Runs, FAR};

/// Bytes of the buffer: half of a small L1 cache.
const BUFFER: usize = 1 << 14;
/// Shorter runs than this many elements are packed together.
const WORTH_READING_IN_PLACE: usize = 256;
/// From so many elements of one line on, the kernel takes them from where they are.
const WORTH_A_LINE: usize = 1024;
/// The same of elements side by side, of which some do not count.
const WORTH_COUNTING: usize = 32;
/// Up to so many elements of one line are copied one by one.
const FEW: usize = 16;

/// How the elements of a cell are read, if their mean can be had so.
enum Way {
    /// They are one line side by side, and all count.
    InPlace,
    /// Some do not count: by bytes side by side, or because they are missing.
    Counted,
    /// They are one line, all count, and many lie apart.
    Strided,
    /// Or few.
    Few,
    /// Run by run.
    Runs,
}

/// The cell whose mean is to be taken.
pub(crate) struct Cell<'a, E> {
    level: Level,
    source: &'a Source<'a>,
    cells: Odometer<'a>,
    /// The innermost axis, and the lines along it.
    inner: Axis,
    lines: Odometer<'a>,
    /// How many elements of the line have been read, and whether there is no further line.
    read: usize,
    ended: bool,
    way: Way,
    /// Of all cells, if most of these come from memory, one after the other; else 0. (From a third cache, to begin each
    /// cell anew costs what is gained in it.)
    bytes_of_all: usize,
    /// Whether runs are read where they are in memory.
    runs_in_place: bool,
    /// The run, so far as it is packed; else where it is.
    buffer: Vec<E>,
    room: usize,
    packed: usize,
    run: *const E,
    /// Which of the elements being packed count, and the other parts of complex ones.
    counts: Vec<u8>,
    parts: Vec<E>,
    count: u64,
}

impl<'a, E: Element> Cell<'a, E> {
    /// The first cell.
    ///
    /// # Safety
    ///
    /// Every element of `source`, with its other part and its truth value, must be readable in every
    /// cell as long as this cell lives, and nothing may write to them.
    pub unsafe fn new(
        level: Level,
        source: &'a Source<'a>,
        cells: &'a [Axis],
        first: Place,
    ) -> Self {
        let (&inner, outer) = source.axes.split_last().unwrap_or((&Axis::ONE, &[]));
        let size = size_of::<E>();
        let plain = source.is_plain();
        let side_by_side = inner.len == 1 || inner.data == size as isize;
        let aligned = source.is_aligned::<E>(first, outer.iter().chain(cells));
        let one_line = outer.is_empty();
        let runs_in_place =
            plain && side_by_side && aligned && (one_line || inner.len >= WORTH_READING_IN_PLACE);
        let masked = source.mask.is_none() || inner.mask == 1;
        let counted = masked && source.skip.is_none_or(|other| other == 0) && !source.swapped;
        let way = match inner.len {
            _ if !one_line => Way::Runs,
            _ if runs_in_place => Way::InPlace,
            ..=FEW if plain => Way::Few,
            WORTH_A_LINE.. if plain && !side_by_side => Way::Strided,
            WORTH_COUNTING.. if counted && side_by_side && aligned => Way::Counted,
            _ => Way::Runs,
        };
        let elements = source.axes.iter().fold(1_usize, |n, axis| n.saturating_mul(axis.len));
        let reach = |axis: &Axis| axis.data.unsigned_abs().saturating_mul(axis.len - 1);
        let own = source.axes.iter().fold(size, |own, axis| own.saturating_add(reach(axis)));
        let others = cells.iter().filter(|axis| axis.data != 0);
        // (Cells that overlap are near, but for the first.)
        let overlap = others.clone().any(|axis| axis.data.unsigned_abs() < own);
        let of_all = others.fold(own, |bytes, axis| bytes.saturating_mul(axis.len));
        let room = if runs_in_place { 0 } else { elements.min(BUFFER / size) };
        Self {
            level,
            source,
            cells: Odometer::new(cells, first),
            inner,
            lines: Odometer::new(outer, first),
            read: 0,
            ended: false,
            way,
            bytes_of_all: if of_all >= FAR && !overlap { of_all } else { 0 },
            runs_in_place,
            buffer: vec![],
            room,
            packed: 0,
            counts: Vec::new(),
            parts: Vec::new(),
            run: std::ptr::null(),
            count: 0,
        }
    }

    /// Where the cell is.
    pub fn place(&self) -> Place {
        self.cells.place
    }

    /// Goes to a cell, one of those that it was made for. (So they are not read one after the other.)
    pub fn move_to(&mut self, place: Place) {
        self.cells.place = place;
        self.bytes_of_all = 0;
    }

    /// Goes to the next cell; false after the last.
    pub fn advance(&mut self) -> bool {
        self.cells.advance()
    }

    /// The mean, of elements in one slice `by` this function of [`Element`]; `None` where no element
    /// counts.
    pub fn mean(
        &mut self,
        format: Binary,
        by: impl Fn(Level, &[E], u64, Binary) -> u64,
    ) -> Option<u64> {
        let data = self.source.data.wrapping_offset(self.cells.place.data);
        let (len, stride) = (self.inner.len, self.inner.data);
        let mean = match self.way {
            Way::InPlace | Way::Counted => {
                // SAFETY: a line of elements side by side, native and aligned; `new`'s caller vouches
                // for them.
                let elements = unsafe { std::slice::from_raw_parts(data.cast::<E>(), len) };
                if let Way::InPlace = self.way {
                    let among = Counted::new(elements, None, false).among(self.bytes_of_all);
                    let far = among.is_far_among_others();
                    let mean = far.then(|| E::mean_of_counted(self.level, among, format));
                    let mean = mean.flatten();
                    mean.or_else(|| Some(by(self.level, elements, len as u64, format)))
                } else {
                    let mask = self.source.mask.map(|mask| {
                        let mask = mask.wrapping_offset(self.cells.place.mask);
                        // SAFETY: their truth values, side by side; as above.
                        unsafe { std::slice::from_raw_parts(mask, len) }
                    });
                    let counted = Counted::new(elements, mask, self.source.skip.is_some());
                    E::mean_of_counted(self.level, counted.among(self.bytes_of_all), format)
                }
            }
            Way::Strided => {
                // SAFETY: `new`'s caller vouches for the elements of the line.
                let line = unsafe { Line::<E>::new(data, &self.inner) };
                E::mean_of_strided(self.level, line.among(self.bytes_of_all), format)
            }
            Way::Few => {
                let mut few = [E::zero(); FEW];
                // SAFETY: as above.
                unsafe { gather_every(&mut few[..len], data, stride) };
                Some(by(self.level, &few[..len], len as u64, format))
            }
            Way::Runs => None,
        };
        if mean.is_some() {
            return mean;
        }
        self.rewind();
        self.read_run();
        if self.ended {
            // Nearly always: one run in place, or one buffer.
            return (self.count > 0).then(|| by(self.level, self.run(), self.count, format));
        }
        self.rewind();
        E::mean_of_runs(self.level, self, format)
    }

    /// Reads the next run; false after the last.
    fn read_run(&mut self) -> bool {
        if self.ended {
            return false;
        }
        if self.runs_in_place {
            self.run = self.source.data.wrapping_offset(self.lines.place.data).cast();
            self.count += self.inner.len as u64;
            self.ended = !self.lines.advance();
            return true;
        }
        self.packed = 0;
        self.buffer.resize(self.room, E::zero());
        while !self.ended && self.packed < self.buffer.len() {
            let room = self.buffer.len() - self.packed;
            let len = room.min(self.inner.len - self.read);
            self.count += self.pack(self.packed, len) as u64;
            self.packed += len;
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
        if self.runs_in_place {
            // SAFETY: a line of elements side by side, native and aligned; `new`'s caller vouches for
            // them.
            unsafe { std::slice::from_raw_parts(self.run, self.inner.len) }
        } else {
            &self.buffer[..self.packed]
        }
    }

    /// Packs `len` elements of the line into the buffer from `start` on, zeros for those that do not
    /// count. Returns how many count.
    fn pack(&mut self, start: usize, len: usize) -> usize {
        let Source { data, mask, swapped, skip, .. } = *self.source;
        let Axis { data: stride, mask: mask_stride, .. } = self.inner;
        let from = self.lines.place.moved(&self.inner, self.read as isize);
        let data = data.wrapping_offset(from.data);
        let packed = &mut self.buffer[start..start + len];
        let (counts, parts) = (&mut self.counts, &mut self.parts);
        vectorize(
            self.level,
            #[inline(always)]
            || {
                let skips = mask.is_none() && skip == Some(0);
                let side_by_side = stride == size_of::<E>() as isize;
                if skips && side_by_side && !swapped && data.cast::<E>().is_aligned() {
                    // SAFETY: `len` elements of the line, side by side, native and aligned; `new`'s
                    // caller vouches for them.
                    let elements = unsafe { std::slice::from_raw_parts(data.cast(), len) };
                    return len - copy_present(packed, elements);
                }
                // SAFETY: `len` elements of the line; as above.
                unsafe { gather(packed, data, stride, swapped) };
                if mask.is_none() && skip.is_none() {
                    return len;
                }
                if skips {
                    return len - drop_all_missing(packed);
                }
                counts.clear();
                counts.resize(len, 1_u8);
                if let Some(mask) = mask {
                    // SAFETY: their truth values; as above.
                    unsafe { gather(counts, mask.wrapping_offset(from.mask), mask_stride, false) };
                    counts.iter_mut().for_each(|counts| *counts = u8::from(*counts != 0));
                }
                if let Some(other) = skip {
                    drop_missing(counts, packed);
                    if other != 0 {
                        parts.resize(len, E::zero());
                        // SAFETY: the other parts of these elements; as above.
                        unsafe { gather(parts, data.wrapping_offset(other), stride, swapped) };
                        drop_missing(counts, parts);
                    }
                }
                let mut count = 0;
                for (x, &counts) in packed.iter_mut().zip(&*counts) {
                    count += usize::from(counts);
                    *x = if counts == 0 { E::zero() } else { *x };
                }
                count
            },
        )
    }
}

/// Copies elements, but zeros for NaNs and NaTs; returns how many there were. In one pass: to wait for
/// the elements a second time costs as much as the first.
#[inline(always)]
fn copy_present<E: Element>(packed: &mut [E], elements: &[E]) -> usize {
    let mut missing = 0_u32;
    for (x, &element) in packed.iter_mut().zip(elements) {
        *x = present(element, &mut missing);
    }
    missing as usize
}

/// The same in place.
#[inline(always)]
fn drop_all_missing<E: Element>(elements: &mut [E]) -> usize {
    let mut missing = 0_u32;
    for x in elements {
        *x = present(*x, &mut missing);
    }
    missing as usize
}

/// The element, or zero if it is missing.
#[inline(always)]
fn present<E: Element>(x: E, missing: &mut u32) -> E {
    let is_missing = x.is_missing();
    *missing += u32::from(is_missing);
    if is_missing {
        E::zero()
    } else {
        x
    }
}

/// Elements that are NaN or NaT do not count.
#[inline(always)]
fn drop_missing<E: Element>(counts: &mut [u8], elements: &[E]) {
    for (counts, x) in counts.iter_mut().zip(elements) {
        *counts &= u8::from(!x.is_missing());
    }
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
