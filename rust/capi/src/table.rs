//! Cells side by side as the columns of a table: what lies together in memory is averaged together.

use crate::gather::{gather, Source};
use crate::layout::{Axis, Odometer, Place};
use mean_core::{vectorize, Element, Level, Rows, Shape, MOST_ROWS, ROWS, TILE};
use std::ops::Range;

/// So few elements in each cell are averaged side by side even where they lie apart.
const FEW: usize = 64;
/// Fewer cells are not worth a table.
const WORTH_A_TABLE: usize = 4;
/// A narrow table is not made wider than leaves so many rows: to add up a column's copies costs as
/// much as some rows.
const WORTH_A_COPY: usize = 32;

/// The elements of the cells along one axis: a column for each.
pub(crate) struct Table<'a, E> {
    level: Level,
    source: &'a Source,
    columns: Axis,
    tables: Odometer<'a>,
    shape: Shape,
    /// Whether rows are read in place.
    in_place: bool,
    buffer: Vec<E>,
}

impl<'a, E: Element> Table<'a, E> {
    /// The first of the tables of all `cells`, whose last axis is that of the columns; `None` where
    /// each cell is better read by itself.
    ///
    /// # Safety
    ///
    /// Every element of `source` must be readable in every cell as long as this table lives, and
    /// nothing may write to them.
    pub unsafe fn new(
        level: Level,
        source: &'a Source,
        cells: &'a [Axis],
        first: Place,
    ) -> Option<Self> {
        let (&columns, outer) = cells.split_last()?;
        let n = source.axes.iter().fold(1_usize, |n, axis| n.saturating_mul(axis.len));
        let row = source.axes.last().map_or(0, |axis| axis.data);
        let together = n <= FEW || columns.data < row;
        let counted = source.mask.is_none() && source.skip.is_none();
        if !together || !counted || n > MOST_ROWS || columns.len < WORTH_A_TABLE {
            return None;
        }
        let copies = (TILE / columns.len).min(n / WORTH_A_COPY).max(1);
        let size = size_of::<E>() as isize;
        let dense = source.axes.len() == 1 && row == size * columns.len as isize;
        let in_place = source.is_plain()
            && columns.data == size
            && source.is_aligned::<E>(first, source.axes.iter().chain(outer))
            && (copies == 1 || dense);
        Some(Self {
            level,
            source,
            columns,
            tables: Odometer::new(outer, first),
            shape: Shape { rows: n.div_ceil(copies), columns: columns.len, copies, n: n as u64 },
            in_place,
            buffer: vec![],
        })
    }

    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// Where a column is.
    pub fn place(&self, column: usize) -> Place {
        self.tables.place.moved(&self.columns, column as isize)
    }

    /// Goes to the next table; false after the last.
    pub fn advance(&mut self) -> bool {
        self.tables.advance()
    }

    /// The first element in one of the n rows before any were put side by side.
    fn start_of_row(&self, mut row: usize) -> *const u8 {
        let mut place = self.tables.place;
        for axis in self.source.axes.iter().rev() {
            place = place.moved(axis, (row % axis.len) as isize);
            row /= axis.len;
        }
        self.source.data.wrapping_offset(place.data)
    }
}

impl<E: Element> Rows<E> for Table<'_, E> {
    fn rows(&mut self, rows: Range<usize>, columns: Range<usize>) -> [&[E]; ROWS] {
        let Shape { copies, n, .. } = self.shape;
        let (len, width, size) = (self.columns.len, columns.len(), size_of::<E>());
        if self.buffer.is_empty() && !(self.in_place && n % copies as u64 == 0) {
            self.buffer = vec![E::zero(); ROWS * TILE.min(len * copies)];
        }
        let mut in_place = [std::ptr::null(); ROWS];
        for (k, row) in rows.enumerate() {
            if self.in_place && (row + 1) * copies <= n as usize {
                let start = self.start_of_row(row * copies).wrapping_add(columns.start * size);
                in_place[k] = start.cast::<E>();
                continue;
            }
            let mut at = columns.start;
            while at < columns.end {
                let (copy, column) = (at / len, at % len);
                let part = (len - column).min(columns.end - at);
                let start = k * width + at - columns.start;
                let row = row * copies + copy;
                let data = self.start_of_row(row.min(n as usize - 1));
                let data = data.wrapping_offset(self.columns.data * column as isize);
                let packed = &mut self.buffer[start..start + part];
                if row < n as usize {
                    vectorize(
                        self.level,
                        #[inline(always)]
                        || {
                            // SAFETY: elements of a row; `new`'s caller vouches for them.
                            unsafe { gather(packed, data, self.columns.data, self.source.swapped) };
                        },
                    );
                } else {
                    packed.fill(E::zero());
                }
                at += part;
            }
        }
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
}
