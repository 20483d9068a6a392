//! The rows of a table, of its elements or of their truth values: in place, or packed.

use crate::arrange::Way;
use crate::gather::{gather, gather_few, gather_runs};
use crate::layout::{Axis, Odometer, Place};
use mean_core::{transpose, vectorize, Element, Level, Shape, ROWS, TILE};
use smallvec::SmallVec;
use std::ops::Range;

/// So many small tables are copied at once.
const AT_ONCE: usize = 32;

/// Where the elements of a table's columns are.
pub(crate) struct Grid<'a> {
    pub level: Level,
    /// The axes of the elements within a column.
    pub axes: &'a [Axis],
    pub columns: Axis,
    /// The axis of small tables that are one.
    pub joined: Axis,
    pub tables: Odometer<'a>,
    /// The first of the columns in hand.
    pub slab: usize,
    pub shape: Shape,
}

impl Grid<'_> {
    /// All columns, of which some are in hand.
    pub fn width(&self) -> usize {
        self.columns.len * self.joined.len
    }

    /// Columns from one on that are of the same table.
    pub fn to_next_table(&self, column: usize) -> usize {
        self.columns.len - (self.slab + column) % self.columns.len
    }

    /// Where a column is.
    pub fn place(&self, column: usize) -> Place {
        let (mut table, mut column) = (0, self.slab + column);
        if column >= self.columns.len {
            (table, column) = (column / self.columns.len, column % self.columns.len);
        }
        let place = self.tables.place.moved(&self.joined, table as isize);
        place.moved(&self.columns, column as isize)
    }

    /// Length of the innermost axis of a column.
    pub fn run(&self) -> usize {
        self.axes.last().map_or(1, |axis| axis.len)
    }

    /// Where one of the n elements of a column is that is at `place`.
    #[inline(always)]
    fn place_in_column(&self, mut place: Place, mut row: usize) -> Place {
        if let Some((outermost, inner)) = self.axes.split_first() {
            for axis in inner.iter().rev() {
                place = place.moved(axis, (row % axis.len) as isize);
                row /= axis.len;
            }
            place = place.moved(outermost, row as isize);
        }
        place
    }
}

/// The elements, or with `MASK` their truth values.
pub(crate) struct Plane<T, const MASK: bool> {
    base: *const u8,
    pub way: Way,
    swapped: bool,
    more: T,
    buffer: Vec<T>,
}

impl<T: Element, const MASK: bool> Plane<T, MASK> {
    /// From `base` on; `more` is what fills up the last row.
    ///
    /// # Safety
    ///
    /// As long as this plane lives, all that is in the grid that its methods are given must be readable, and nothing may
    /// write to it. What is read in place, of a row, or in runs, of a column's innermost axis, must be side by side,
    /// aligned and in native byte order.
    pub unsafe fn new(base: *const u8, way: Way, swapped: bool, more: T) -> Self {
        Self { base, way, swapped, more, buffer: vec![] }
    }

    pub fn stride(axis: &Axis) -> isize {
        if MASK {
            axis.mask
        } else {
            axis.data
        }
    }

    pub fn at(&self, place: Place) -> *const u8 {
        self.base.wrapping_offset(if MASK { place.mask } else { place.data })
    }

    /// Where one of the n rows begins, before any were put side by side.
    #[inline(always)]
    pub fn start_of_row(&self, grid: &Grid, row: usize) -> *const u8 {
        self.at(grid.place_in_column(grid.place(0), row))
    }

    /// Where a row begins, if it can be read in place.
    #[inline(always)]
    pub fn row_in_place(
        &self,
        grid: &Grid,
        row: usize,
        columns: &Range<usize>,
    ) -> Option<*const T> {
        let Shape { copies, n, .. } = grid.shape;
        // What `new`'s caller vouches for.
        assert!(row < grid.shape.rows && columns.end <= grid.shape.columns * copies);
        let is_there = self.way.in_place && (row + 1) * copies <= n as usize;
        is_there.then(|| {
            let start = self.start_of_row(grid, row * copies);
            start.wrapping_add(columns.start * size_of::<T>()).cast()
        })
    }

    /// Some rows in some columns.
    pub fn rows(&mut self, grid: &Grid, rows: Range<usize>, columns: Range<usize>) -> [&[T]; ROWS] {
        let width = columns.len();
        let in_place = self.pack(grid, rows, columns);
        std::array::from_fn(|k| {
            if in_place[k].is_null() {
                self.buffer.get(k * width..(k + 1) * width).unwrap_or(&[])
            } else {
                // SAFETY: elements of a row, or of all the rows side by side in it, which are side by
                // side in memory, native and aligned; `new`'s caller vouches for them.
                unsafe { std::slice::from_raw_parts(in_place[k], width) }
            }
        })
    }

    /// Packs rows, but those that can be read in place: of these it returns where they are.
    fn pack(&mut self, grid: &Grid, rows: Range<usize>, columns: Range<usize>) -> [*const T; ROWS] {
        let Shape { copies, n, .. } = grid.shape;
        // What `new`'s caller vouches for.
        assert!(rows.end <= grid.shape.rows && columns.end <= grid.shape.columns * copies);
        assert!(rows.len() <= ROWS);
        let mut in_place = [std::ptr::null(); ROWS];
        let (len, width) = (grid.shape.columns, columns.len());
        if self.buffer.is_empty() && !(self.way.in_place && n % copies as u64 == 0) {
            self.buffer = vec![T::zero(); ROWS * TILE.min(len * copies)];
        }
        if self.way.runs && rows.len() == ROWS && rows.start % grid.run() + ROWS <= grid.run() {
            let start = self.start_of_row(grid, rows.start);
            let step = Self::stride(&grid.columns);
            let start = start.wrapping_offset(step * columns.start as isize);
            transpose(
                grid.level,
                #[inline(always)]
                |column| {
                    let run = start.wrapping_offset(step * column as isize);
                    // SAFETY: elements of a column, side by side, native and aligned; `new`'s caller
                    // vouches for them.
                    unsafe { &*run.cast::<[T; ROWS]>() }
                },
                &mut self.buffer[..ROWS * width],
                width,
            );
            return in_place;
        }
        if grid.joined.len > 1 && !self.way.in_place {
            self.pack_joined(grid, rows, columns);
            return in_place;
        }
        for (k, row) in rows.enumerate() {
            if let Some(start) = self.row_in_place(grid, row, &columns) {
                in_place[k] = start;
                continue;
            }
            let mut at = columns.start;
            while at < columns.end {
                let (copy, column) = (at / len, at % len);
                let part = (len - column).min(columns.end - at);
                let start = k * width + at - columns.start;
                let row = row * copies + copy;
                let step = Self::stride(&grid.columns);
                let data = self.start_of_row(grid, row.min(n as usize - 1));
                let data = data.wrapping_offset(step * column as isize);
                let packed = &mut self.buffer[start..start + part];
                if row < n as usize {
                    vectorize(
                        grid.level,
                        #[inline(always)]
                        || {
                            // SAFETY: elements of a row; `new`'s caller vouches for them.
                            unsafe { gather(packed, data, step, self.swapped) };
                        },
                    );
                } else {
                    packed.fill(self.more);
                }
                at += part;
            }
        }
        in_place
    }

    /// Copies rows of small tables side by side.
    fn pack_joined(&mut self, grid: &Grid, rows: Range<usize>, columns: Range<usize>) {
        let (len, width) = (grid.columns.len, columns.len());
        let [step, apart] = [&grid.columns, &grid.joined].map(Self::stride);
        let first = grid.to_next_table(columns.start).min(width);
        let place = grid.place(columns.start);
        let starts = rows.map(|row| self.at(grid.place_in_column(place, row)));
        let starts = starts.collect::<SmallVec<[_; ROWS]>>();
        let back = step * (len - first) as isize;
        for (row, &start) in self.buffer.chunks_exact_mut(width).zip(&starts) {
            // SAFETY: elements of a row of one table; `new`'s caller vouches for them.
            unsafe { gather_few(&mut row[..first], start, step) };
        }
        // (All rows of some tables: their cache lines might not be there any more after those of all others.)
        let some = AT_ONCE * len;
        for (i, at) in (first..width).step_by(some).enumerate() {
            let moved = apart * (1 + i * AT_ONCE) as isize - back;
            for (row, &start) in self.buffer.chunks_exact_mut(width).zip(&starts) {
                let packed = &mut row[at..width.min(at + some)];
                let data = start.wrapping_offset(moved);
                // SAFETY: the same row of the next tables; as above.
                unsafe { gather_runs(packed, len, data, apart, step) };
            }
        }
        if self.swapped {
            self.buffer[..width * starts.len()].iter_mut().for_each(|x| *x = x.swap_bytes());
        }
    }
}
