//! Cells side by side as the columns of a table: what lies together in memory is averaged together.

use crate::arrange::Arrangement;
use crate::gather::Source;
use crate::layout::{Axis, Odometer, Place};
use crate::plane::{Grid, Plane};
use mean_core::{
    Ahead, Binary, Counted, Element, Level, Lines, Reading, Remaining, Rows, Shape, ROWS,
};
use std::cell::Cell;
use std::ops::Range;
use std::slice::from_raw_parts;

/// The elements of the cells along one axis, or two: a column for each.
pub(crate) struct Table<'a, E> {
    grid: Grid<'a>,
    elements: Plane<E, false>,
    /// A truth value for each, if there is a mask.
    masks: Option<Plane<u8, true>>,
    /// Columns in hand, at most.
    most: usize,
    /// As in [`Arrangement`].
    apart: bool,
    parts: usize,
    reading: Reading,
    ahead: Option<Ahead>,
    pitch: Option<usize>,
}

thread_local! {
    /// What the kernel last worked in on this thread, half a megabyte at most: to make it zeros, or have pages for it,
    /// takes as much as a twentieth of the time.
    static MEMORY: Cell<Vec<f64>> = const { Cell::new(Vec::new()) };
}

impl<'a, E: Element> Table<'a, E> {
    /// The first of the tables of all `cells`, whose last axis is that of the columns; `None` where
    /// each cell is better read by itself.
    ///
    /// # Safety
    ///
    /// Every element of `source`, with its truth value, must be readable in every cell as long as this table
    /// lives, and nothing may write to them.
    pub unsafe fn new(
        level: Level,
        source: &'a Source<'a>,
        cells: &'a [Axis],
        first: Place,
        format: Binary,
    ) -> Option<Self> {
        let arrangement = Arrangement::of::<E>(level, source, cells, first, format)?;
        let Arrangement { columns, joined, tables, shape, .. } = arrangement;
        let way = arrangement.elements;
        // SAFETY: the caller vouches for them; these are what has been looked at.
        let elements = unsafe { Plane::new(source.data, way, source.swapped, E::zero()) };
        let masks = source.mask.map(|mask| {
            // SAFETY: as above. (Bytes are aligned.)
            unsafe { Plane::new(mask, arrangement.masks, false, 1) }
        });
        let tables = Odometer::new(tables, first);
        Some(Self {
            grid: Grid { level, axes: source.axes, columns, joined, tables, slab: 0, shape },
            elements,
            masks,
            most: shape.columns,
            apart: arrangement.apart,
            parts: arrangement.parts,
            reading: arrangement.reading,
            ahead: arrangement.ahead,
            pitch: arrangement.pitch,
        })
    }

    /// Gives `put` the means of the columns in hand: where in the result some begin, and bytes from one to the next.
    pub fn put_means(&self, means: &[u64], mut put: impl FnMut(isize, isize, &[u64])) {
        let Grid { columns, joined, .. } = &self.grid;
        let is_one_axis = joined.out == columns.out * columns.len as isize;
        let mut from = 0;
        while from < means.len() {
            let left = means.len() - from;
            let some = if is_one_axis { left } else { left.min(self.grid.to_next_table(from)) };
            put(self.place(from).out, columns.out, &means[from..from + some]);
            from += some;
        }
    }

    /// Makes `means` the encodings of the means of the columns in hand, and returns which have none.
    pub fn means(&mut self, format: Binary, means: &mut Vec<u64>) -> Remaining {
        let (shape, level) = (self.grid.shape, self.grid.level);
        means.resize(shape.columns, 0);
        if !self.apart {
            return E::means_of_columns(level, self, shape, format, means);
        }
        let (parts, n) = (self.parts, self.parts * self.grid.run());
        let runs = |first: usize, runs: &mut [Counted<E>]| {
            // Callers of a safe trait must not get beyond what `new`'s caller vouches for.
            assert!(first.saturating_add(runs.len()).saturating_mul(parts) <= shape.columns);
            for (run, i) in runs.iter_mut().zip(first..) {
                let place = self.place(i * parts);
                // SAFETY: all elements of a cell, or of two in turn, side by side, native and aligned; `new`'s
                // caller vouches for them.
                let data = unsafe { from_raw_parts(self.elements.at(place).cast(), n) };
                let mask = self.masks.as_ref().map(|masks| {
                    // SAFETY: their truth values, side by side; as above.
                    unsafe { from_raw_parts(masks.at(place), n) }
                });
                *run = Counted::new(data, mask, shape.counted == Some(true));
            }
        };
        E::means_of_rows(level, [n, parts], &runs, self.ahead, means)
    }

    /// Where a column is.
    pub fn place(&self, column: usize) -> Place {
        self.grid.place(column)
    }

    /// Goes to the next columns; false after the last.
    pub fn advance(&mut self) -> bool {
        let width = self.grid.width();
        let Grid { slab, shape, tables, .. } = &mut self.grid;
        *slab += shape.columns;
        let more = *slab < width || tables.advance();
        *slab %= width;
        shape.columns = (width - *slab).min(self.most);
        more
    }

    /// Bytes from these columns to the next, if there are as many.
    fn to_next(&self) -> Option<isize> {
        let Grid { slab, shape, columns, tables, .. } = &self.grid;
        let end = slab + shape.columns;
        if end < columns.len {
            let left = columns.len - end;
            return (left >= shape.columns).then_some(columns.data * shape.columns as isize);
        }
        let mut next = tables.clone();
        (next.advance() && *slab == 0).then(|| next.place.data - tables.place.data)
    }
}

impl<E: Element> Rows<E> for Table<'_, E> {
    fn lines(&mut self, rows: Range<usize>, columns: Range<usize>) -> Lines<'_, E> {
        let Shape { copies, n, .. } = self.grid.shape;
        let whole = n as usize / copies;
        let are_whole = rows.start <= rows.end && rows.end <= whole;
        let Some(pitch) = self.pitch.filter(|_| are_whole) else {
            return Lines::Apart(self.rows(rows, columns));
        };
        let start = self.elements.at(self.grid.tables.place).cast::<E>();
        // SAFETY: n times the axis of the columns are elements of the cells, native and aligned, one after
        // the other (`pitch`), for which `new`'s caller vouches; and each of the rows is `copies` times that axis.
        let data = unsafe { from_raw_parts(start, whole * pitch) };
        let eighth = whole / ROWS;
        if self.reading == Reading::Long && columns == (0..pitch) && rows.end <= eighth * ROWS {
            // From each eighth of the table the next row: so what is read are eight streams without an end.
            let first = rows.start / ROWS;
            return Lines::Apart(std::array::from_fn(|i| &data[(first + i * eighth) * pitch..]));
        }
        let data = &data[rows.start * pitch..rows.end * pitch];
        Lines::Dense { data, pitch, first: self.grid.slab + columns.start }
    }

    fn take_memory(&mut self) -> Vec<f64> {
        // (There is none any more when the thread ends.)
        MEMORY.try_with(Cell::take).unwrap_or_default()
    }

    fn keep_memory(&mut self, memory: Vec<f64>) {
        let _ = MEMORY.try_with(|kept| kept.set(memory));
    }

    fn reading(&self) -> Reading {
        self.reading
    }

    fn rows_and_next(
        &mut self,
        [rows, columns]: [Range<usize>; 2],
        next: Option<[Range<usize>; 2]>,
    ) -> [[&[E]; ROWS]; 2] {
        let mut next_rows: [&[E]; ROWS] = [&[]; ROWS];
        let (beyond, [places, next_columns]) = match next {
            Some(next) => (Some(0), next),
            None => (self.to_next(), [0..self.grid.shape.rows.min(ROWS), 0..columns.len()]),
        };
        for (next, row) in next_rows.iter_mut().zip(places) {
            let row = self.elements.row_in_place(&self.grid, row, &next_columns);
            let Some((beyond, row)) = beyond.zip(row) else { break };
            let row = row.cast::<u8>().wrapping_offset(beyond).cast();
            // SAFETY: elements of a row of this table or the next, in memory and not in the buffer;
            // `new`'s caller vouches for them.
            *next = unsafe { from_raw_parts(row, next_columns.len()) };
        }
        [self.rows(rows, columns), next_rows]
    }

    fn rows(&mut self, rows: Range<usize>, columns: Range<usize>) -> [&[E]; ROWS] {
        self.elements.rows(&self.grid, rows, columns)
    }

    fn rows_and_masks(
        &mut self,
        rows: Range<usize>,
        columns: Range<usize>,
    ) -> ([&[E]; ROWS], Option<[&[u8]; ROWS]>) {
        let masks = self.masks.as_mut();
        let masks = masks.map(|masks| masks.rows(&self.grid, rows.clone(), columns.clone()));
        (self.elements.rows(&self.grid, rows, columns), masks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arrange::SLAB;
    use mean_core::levels;

    /// The means of all tables, along the axis before the last, read so; those that are open are 0.
    fn means<E: Element>(
        level: Level,
        data: &[E],
        shape: [usize; 3],
        reading: Reading,
    ) -> Vec<u64> {
        let [outer, rows, columns] = shape;
        let size = size_of::<E>() as isize;
        let axis =
            |len: usize, data: usize| Axis { len, data: data as isize * size, mask: 0, out: 0 };
        let axes = [axis(rows, columns)];
        let data = data[..outer * rows * columns].as_ptr().cast();
        let source = Source { data, mask: None, axes: &axes, swapped: false, skip: None };
        let cells = [axis(outer, rows * columns), axis(columns, 1)];
        // SAFETY: the elements of `data`.
        let table = unsafe { Table::new(level, &source, &cells, Place::default(), Binary::B64) };
        let mut table: Table<E> = table.expect("so many columns are worth one");
        if table.elements.way.in_place {
            table.reading = reading;
            table.most = SLAB.max(reading.tile());
            table.grid.shape.columns = table.grid.width().min(table.most);
        }
        let (mut all, mut means) = (vec![], vec![]);
        loop {
            for open in table.means(Binary::B64, &mut means).open {
                means[open] = 0;
            }
            all.extend_from_slice(&means);
            if !table.advance() {
                return all;
            }
        }
    }

    fn are_the_same_however_read<E: Element>(element: impl Fn(i32) -> E) {
        let data: Vec<E> = (0..150_000).map(|i| element(i * 7919 % 65_536 - 30_000)).collect();
        let shapes = [
            [1, 9, 9000],
            [1, 9, 11_000],
            [3, 17, 1500],
            [2, 130, 513],
            [1, 3, 4097],
            [2, 1000, 70],
            // Side by side, of which the last in hand begin in the midst of one:
            [130, 2, 2],
            [400, 9, 3],
            [155, 65, 5],
            [97, 8, 13],
        ];
        for (name, level) in levels() {
            for shape in shapes {
                let all = [Reading::Near, Reading::ByVector, Reading::Long, Reading::Far]
                    .map(|reading| means(level, &data, shape, reading));
                assert_eq!(all[0].len(), shape[0] * shape[2]);
                let mut proved = 0;
                for i in 0..all[0].len() {
                    let found = all.each_ref().map(|means| means[i]);
                    let proof = found.into_iter().find(|&mean| mean != 0).unwrap_or(0);
                    let same = found.iter().all(|&mean| mean == 0 || mean == proof);
                    assert!(same, "{name}, {shape:?}, column {i}: {found:x?}");
                    proved += usize::from(!found.contains(&0));
                }
                assert!(2 * proved > all[0].len(), "{name}, {shape:?}: {proved}");
            }
        }
    }

    /// Cells that are runs side by side, of which the last in hand are fewer.
    #[test]
    fn means_of_runs_are_the_same_however_early_they_are_asked_for() {
        let data: Vec<f64> = (0..150_000).map(|i| f64::from(i * 7919 % 65_536) / 8.0).collect();
        for (n, m) in [(32, SLAB + 10), (100, 300), (63, 257), (1000, 40)] {
            let size = size_of::<f64>() as isize;
            let axis = |len, data| Axis { len, data, mask: 0, out: 0 };
            let (axes, cells) = ([axis(n, size)], [axis(m, size * n as isize)]);
            let data = data[..n * m].as_ptr().cast();
            let source = Source { data, mask: None, axes: &axes, swapped: false, skip: None };
            let takes = |&(_, level): &_| f64::takes_rows(level, n, Binary::B64);
            for (name, level) in levels().into_iter().filter(takes) {
                let means = |ahead| {
                    // SAFETY: the elements of `data`.
                    let table = unsafe {
                        Table::new(level, &source, &cells, Place::default(), Binary::B64)
                    };
                    let mut table: Table<f64> = table.expect("so many runs are worth one");
                    table.ahead = ahead;
                    let (mut all, mut means) = (vec![], vec![]);
                    loop {
                        let open = table.means(Binary::B64, &mut means).open;
                        all.extend(
                            means.iter().copied().zip(0..).filter(|(_, i)| !open.contains(i)),
                        );
                        if !table.advance() {
                            return all;
                        }
                    }
                };
                let near = means(None);
                for (bytes, is_far) in [(4 << 10, false), (8 << 10, true)] {
                    assert_eq!(means(Some(Ahead { bytes, is_far })), near, "{name}, {m} of {n}");
                }
            }
        }
    }

    #[test]
    fn means_are_the_same_however_a_table_is_read() {
        are_the_same_however_read(|i| f64::from(i) / 8.0 + 1e-9);
        are_the_same_however_read(|i| i as f32 / 8.0);
        are_the_same_however_read(|i| i as i16);
    }
}
