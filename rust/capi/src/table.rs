//! Cells side by side as the columns of a table: what lies together in memory is averaged together.

use crate::gather::Source;
use crate::layout::{Axis, Odometer, Place};
use crate::plane::{Grid, Plane};
use mean_core::{
    Ahead, Binary, Counted, Element, Level, Lines, Reading, Remaining, Rows, Shape, MOST_ROWS,
    ROWS, TILE, WORTH_A_COPY,
};
use std::ops::Range;
use std::slice::from_raw_parts;

/// Runs of so few neighbours are averaged side by side even where they lie apart.
const FEW: usize = 128;
/// And with a mask or what is missing to skip: one cell after the other is then as quick from fewer on.
const FEW_TO_SIFT: usize = 31;
/// So many columns are looked at in one go, or a whole [`Reading::tile`]: means of more would be new pages of memory
/// at each call.
const SLAB: usize = 4 * TILE;
/// And of cells that lie apart, so that what is read of them at once fits a cache.
const SLAB_OF_RUNS: usize = 256;
/// Fewer cells are not worth a table; nor, unless they are runs to be read by themselves, are fewer than
/// so many of up to `SHORT` elements.
const WORTH_A_TABLE: usize = 5;
const WORTH_A_TABLE_OF_SHORT: usize = 9;
const SHORT: usize = 128;

/// Of rows of fewer elements a mask and what it is for are not copied piece by piece.
const WORTH_COPYING_TWICE: usize = 32;

/// What is one axis but for the mask, or the result, is joined from so many columns on.
const WORTH_JOINING: usize = 64;

/// Of fewer complex numbers a run is not read by itself.
const WORTH_A_RUN: usize = 32;

/// Rows of so many elements are asked for early where they are far; those of narrow tables follow one another.
const WIDE: usize = TILE / 4;

/// Whether some tables of `n` rows are better copied side by side, as one: what each costs by itself is as much as to
/// copy so few elements.
fn are_small(tables: usize, n: usize, columns: usize) -> bool {
    let most = match columns {
        0..=8 => 128,
        9..32 => 64,
        _ => 256 / columns,
    };
    // (A few wide rows are not worth as much as many.)
    n <= most && (n <= 16 || tables.saturating_mul(columns) >= 32)
}

/// The elements of the cells along one axis, or two: a column for each.
pub(crate) struct Table<'a, E> {
    grid: Grid<'a>,
    elements: Plane<E, false>,
    /// A truth value for each, if there is a mask.
    masks: Option<Plane<u8, true>>,
    /// Columns in hand, at most.
    most: usize,
    /// Whether each cell is one run, to be read by itself; or so many cells take turns in one.
    apart: bool,
    parts: usize,
    reading: Reading,
    /// How early runs to be read by themselves are asked for.
    ahead: Option<Ahead>,
    /// Elements from row to row, where all elements of the cells follow one another, row after row.
    pitch: Option<usize>,
    memory: Vec<f64>,
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
        let (&columns, mut outer) = cells.split_last()?;
        let n = source.axes.iter().fold(1_usize, |n, axis| n.saturating_mul(axis.len));
        // (Both parts of a complex number decide whether it counts.)
        if n as u64 > MOST_ROWS || source.skip.is_some_and(|other| other != 0) {
            return None;
        }
        let all_count = source.all_count();
        let (run, row) = source.axes.last().map_or((1, 0), |axis| (axis.len, axis.data));
        let size = size_of::<E>() as isize;
        let plain =
            !source.swapped && source.is_aligned::<E>(first, source.axes.iter().chain(cells));
        let side_by_side = plain && row == size;
        let row_of_masks = source.axes.last().map_or(0, |axis| axis.mask);
        let mut apart = side_by_side
            && (source.mask.is_none() || row_of_masks == 1)
            && source.axes.len() == 1
            && E::takes_rows(level, n, format);
        let few = if all_count { FEW } else { FEW_TO_SIFT };
        let together = apart || run <= few || columns.data < row;
        let mut joined = Axis { len: 1, data: 0, mask: 0, out: 0 };
        // Whether what is joined is one axis, but for the mask.
        let mut continues = false;
        let mut parts = 1;
        if let Some((&axis, others)) = outer.split_last() {
            // (Complex numbers: of each cell, both parts in turn.)
            let in_turn = plain && columns.len == 2 && columns.data == size && row == 2 * size;
            let in_turn = in_turn && all_count && source.axes.len() == 1;
            continues = axis.data == columns.data * columns.len as isize
                && axis.len.saturating_mul(columns.len) >= WORTH_JOINING;
            if in_turn && n >= WORTH_A_RUN && E::takes_rows(level, 2 * n, format) {
                (joined, outer, apart, parts) = (axis, others, true, 2);
            } else if columns.data != 0
                && columns.data < row
                && (continues || are_small(axis.len, n, columns.len))
            {
                (joined, outer) = (axis, others);
            }
        }
        let is_joined = joined.len > 1;
        let width = columns.len * joined.len;
        let short = n <= SHORT && !apart && width < WORTH_A_TABLE_OF_SHORT;
        if !together || short || width < WORTH_A_TABLE {
            return None;
        }
        let mut shape = Shape::new(n, width);
        // (Runs are transposed, which is worth more than wider rows.)
        if is_joined || side_by_side && columns.len >= ROWS {
            (shape.copies, shape.rows) = (1, n);
        }
        // Rows that follow one another are one row; of several axes only those of the last.
        let fits = |copies: &usize| source.axes.len() == 1 || run % copies == 0;
        let widest = (1..=shape.copies).rev().find(fits).unwrap_or(1);
        let dense = row == size * width as isize && (widest > 1 || shape.copies == 1);
        let is_one = !is_joined || continues;
        let beside = plain && is_one && columns.data == size && (dense || shape.copies == 1);
        let grouped = side_by_side
            && all_count
            && !is_joined
            && source.axes.len() > 1
            && columns.data == size * run as isize
            && n / run >= WORTH_A_COPY;
        let in_place = beside || grouped;
        if in_place {
            shape.copies = if grouped { run } else { widest };
            shape.rows = n.div_ceil(shape.copies);
            shape.grouped = grouped;
        }
        let runs = side_by_side && !is_joined && !in_place && shape.copies == 1;
        let row = width * shape.copies;
        let pitch = (all_count && in_place && dense && source.axes.len() == 1).then_some(row);
        let elements = cells.iter().fold(n, |n, axis| n.saturating_mul(axis.len));
        let reading = if all_count && in_place && !is_joined && row >= WIDE {
            Reading::of(elements.saturating_mul(size_of::<E>()))
        } else {
            Reading::Near
        };
        // (Runs may overlap: then all of them are near.)
        let from_run_to_run = if parts == 1 { columns.data } else { joined.data };
        let ahead = (from_run_to_run.unsigned_abs()
            >= (parts * run).saturating_mul(size_of::<E>()))
        .then(|| Ahead::of(elements.saturating_mul(size_of::<E>())))
        .flatten();
        let slab = match ((is_joined || runs) && !apart && !in_place, grouped) {
            (true, _) => SLAB_OF_RUNS,
            (_, true) => TILE / run,
            _ => SLAB.max(reading.tile()),
        };
        shape.columns = width.min(slab);
        shape.counted = (!all_count).then_some(source.skip.is_some());
        // SAFETY: the caller vouches for them; these are what has been looked at.
        let elements =
            unsafe { Plane::new(source.data, [in_place, runs, source.swapped], E::zero()) };
        let masks = source.mask.map(|mask| {
            let dense = row_of_masks == columns.len as isize && fits(&shape.copies);
            let in_place = !is_joined && columns.mask == 1 && (shape.copies == 1 || dense);
            let runs = !is_joined && !in_place && row_of_masks == 1 && shape.copies == 1;
            // SAFETY: as above. (Bytes are aligned.)
            unsafe { Plane::new(mask, [in_place, runs, false], 1) }
        });
        // (What is not read in place nor transposed is copied in pieces of a row.)
        let in_pieces = |in_place: bool, runs: bool| !in_place && !runs && !is_joined && !apart;
        if columns.len < WORTH_COPYING_TWICE
            && masks.as_ref().is_some_and(|masks| {
                in_pieces(in_place, runs) || in_pieces(masks.in_place, masks.runs)
            })
        {
            return None;
        }
        let tables = Odometer::new(outer, first);
        Some(Self {
            grid: Grid { level, axes: source.axes, columns, joined, tables, slab: 0, shape },
            elements,
            masks,
            most: slab,
            apart,
            parts,
            reading,
            ahead,
            pitch,
            memory: vec![],
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
        let apart = whole / ROWS;
        if self.reading == Reading::Long && columns == (0..pitch) && rows.end <= apart * ROWS {
            // From each eighth of the table the next row: so what is read are eight streams without an end.
            let first = rows.start / ROWS;
            return Lines::Apart(std::array::from_fn(|i| &data[(first + i * apart) * pitch..]));
        }
        let data = &data[rows.start * pitch..rows.end * pitch];
        Lines::Dense { data, pitch, first: self.grid.slab + columns.start }
    }

    fn take_memory(&mut self) -> Vec<f64> {
        std::mem::take(&mut self.memory)
    }

    fn keep_memory(&mut self, memory: Vec<f64>) {
        self.memory = memory;
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
        if table.elements.in_place {
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
                let [near, long, far] = [Reading::Near, Reading::Long, Reading::Far]
                    .map(|reading| means(level, &data, shape, reading));
                assert_eq!(near.len(), shape[0] * shape[2]);
                for (i, &mean) in near.iter().enumerate() {
                    for other in [long[i], far[i]] {
                        let proved = mean != 0 && other != 0;
                        assert!(!proved || other == mean, "{name}, {shape:?}, column {i}");
                    }
                }
                let proved = long.iter().zip(&far).filter(|&(&a, &b)| a != 0 && b != 0).count();
                assert!(2 * proved > near.len(), "{name}, {shape:?}: {proved}");
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
