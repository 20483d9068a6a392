//! Cells side by side as the columns of a table: what lies together in memory is averaged together.

use crate::gather::{gather, gather_few, gather_runs, Source};
use crate::layout::{Axis, Odometer, Place};
use mean_core::{
    transpose, vectorize, Ahead, Binary, Element, Level, Lines, Reading, Rows, Shape, MOST_ROWS,
    ROWS, TILE, WORTH_A_COPY,
};
use smallvec::SmallVec;
use std::ops::Range;

/// Runs of so few neighbours are averaged side by side even where they lie apart.
const FEW: usize = 128;
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

/// So many small tables are copied at once.
const AT_ONCE: usize = 32;

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
    level: Level,
    source: &'a Source<'a>,
    columns: Axis,
    /// The axis of small tables that are one.
    joined: Axis,
    tables: Odometer<'a>,
    /// The columns in hand: the first, and how many at most.
    slab: usize,
    most: usize,
    shape: Shape,
    /// Whether rows are read in place; or whether elements of a cell are side by side.
    in_place: bool,
    runs: bool,
    /// Whether each cell is one run, to be read by itself.
    apart: bool,
    reading: Reading,
    /// How early runs to be read by themselves are asked for.
    ahead: Option<Ahead>,
    /// Elements from row to row, where all elements of the cells follow one another, row after row.
    pitch: Option<usize>,
    buffer: Vec<E>,
    memory: Vec<f64>,
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
        source: &'a Source<'a>,
        cells: &'a [Axis],
        first: Place,
        format: Binary,
    ) -> Option<Self> {
        let (&columns, mut outer) = cells.split_last()?;
        let n = source.axes.iter().fold(1_usize, |n, axis| n.saturating_mul(axis.len));
        let counted = source.mask.is_none() && source.skip.is_none();
        if !counted || n as u64 > MOST_ROWS {
            return None;
        }
        let (run, row) = source.axes.last().map_or((1, 0), |axis| (axis.len, axis.data));
        let size = size_of::<E>() as isize;
        let plain =
            source.is_plain() && source.is_aligned::<E>(first, source.axes.iter().chain(cells));
        let side_by_side = plain && row == size;
        let apart = side_by_side && source.axes.len() == 1 && E::takes_rows(level, n, format);
        let together = apart || run <= FEW || columns.data < row;
        let mut joined = Axis { len: 1, data: 0, mask: 0, out: 0 };
        if let Some((&axis, others)) = outer.split_last() {
            if columns.data != 0 && columns.data < row && are_small(axis.len, n, columns.len) {
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
        let dense = row == size * columns.len as isize && (widest > 1 || shape.copies == 1);
        let beside = plain && !is_joined && columns.data == size && (dense || shape.copies == 1);
        let grouped = side_by_side
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
        let row = columns.len * shape.copies;
        let pitch = (in_place && dense && source.axes.len() == 1).then_some(row);
        let elements = cells.iter().fold(n, |n, axis| n.saturating_mul(axis.len));
        let reading = if in_place && row >= WIDE {
            Reading::of(elements.saturating_mul(size_of::<E>()), shape.rows)
        } else {
            Reading::Near
        };
        // (Runs may overlap: then all of them are near.)
        let ahead = (columns.data.unsigned_abs() >= run.saturating_mul(size_of::<E>()))
            .then(|| Ahead::of(elements.saturating_mul(size_of::<E>())))
            .flatten();
        let slab = match (is_joined || runs && !apart, grouped) {
            (true, _) => SLAB_OF_RUNS,
            (_, true) => TILE / run,
            _ => SLAB.max(reading.tile()),
        };
        shape.columns = width.min(slab);
        Some(Self {
            level,
            source,
            columns,
            joined,
            tables: Odometer::new(outer, first),
            slab: 0,
            most: slab,
            shape,
            in_place,
            runs,
            apart,
            reading,
            ahead,
            pitch,
            buffer: vec![],
            memory: vec![],
        })
    }

    /// All columns, of which some are in hand.
    fn width(&self) -> usize {
        self.columns.len * self.joined.len
    }

    /// Gives `put` the means of the columns in hand: where in the result some begin, and bytes from one to the next.
    pub fn put_means(&self, means: &[u64], mut put: impl FnMut(isize, isize, &[u64])) {
        let Self { columns, joined, .. } = self;
        let is_one_axis = joined.out == columns.out * columns.len as isize;
        let mut from = 0;
        while from < means.len() {
            let left = means.len() - from;
            let some = if is_one_axis { left } else { left.min(self.to_next_table(from)) };
            put(self.place(from).out, columns.out, &means[from..from + some]);
            from += some;
        }
    }

    /// Columns from one on that are of the same table.
    fn to_next_table(&self, column: usize) -> usize {
        self.columns.len - (self.slab + column) % self.columns.len
    }

    /// Makes `means` the encodings of the means of the columns in hand, and returns the columns of which
    /// it has found none.
    pub fn means(&mut self, format: Binary, means: &mut Vec<u64>) -> Vec<usize> {
        let shape = self.shape;
        means.resize(shape.columns, 0);
        if !self.apart {
            return E::means_of_columns(self.level, self, shape, format, means);
        }
        let runs = |first: usize, runs: &mut [&[E]]| {
            // Callers of a safe trait must not get beyond what `new`'s caller vouches for.
            assert!(first.saturating_add(runs.len()) <= shape.columns);
            for (run, column) in runs.iter_mut().zip(first..) {
                let data = self.source.data.wrapping_offset(self.place(column).data).cast();
                // SAFETY: all elements of a cell, side by side, native and aligned; `new`'s caller
                // vouches for them.
                *run = unsafe { std::slice::from_raw_parts(data, self.run()) };
            }
        };
        E::means_of_rows(self.level, self.run(), &runs, self.ahead, means)
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

    /// Goes to the next columns; false after the last.
    pub fn advance(&mut self) -> bool {
        let width = self.width();
        self.slab += self.shape.columns;
        let more = self.slab < width || self.tables.advance();
        self.slab %= width;
        self.shape.columns = (width - self.slab).min(self.most);
        more
    }

    /// Bytes from these columns to the next, if there are as many.
    fn to_next(&self) -> Option<isize> {
        let end = self.slab + self.shape.columns;
        if end < self.columns.len {
            let left = self.columns.len - end;
            return (left >= self.shape.columns)
                .then_some(self.columns.data * self.shape.columns as isize);
        }
        let mut next = self.tables.clone();
        (next.advance() && self.slab == 0).then(|| next.place.data - self.tables.place.data)
    }

    /// Length of the innermost axis of a cell.
    fn run(&self) -> usize {
        self.source.axes.last().map_or(1, |axis| axis.len)
    }

    /// Where a row begins, if it can be read in place.
    #[inline(always)]
    fn row_in_place(&self, row: usize, columns: &Range<usize>) -> Option<*const E> {
        let Shape { copies, n, .. } = self.shape;
        // What `new`'s caller vouches for.
        assert!(row < self.shape.rows && columns.end <= self.shape.columns * copies);
        let is_there = self.in_place && (row + 1) * copies <= n as usize;
        is_there.then(|| {
            let start = self.start_of_row(row * copies);
            start.wrapping_add(columns.start * size_of::<E>()).cast()
        })
    }

    /// The first element in one of the n rows before any were put side by side.
    #[inline(always)]
    fn start_of_row(&self, row: usize) -> *const u8 {
        self.place_in_row(self.place(0), row)
    }

    /// The same of a column that is at `place`.
    #[inline(always)]
    fn place_in_row(&self, mut place: Place, mut row: usize) -> *const u8 {
        if let Some((outermost, inner)) = self.source.axes.split_first() {
            for axis in inner.iter().rev() {
                place = place.moved(axis, (row % axis.len) as isize);
                row /= axis.len;
            }
            place = place.moved(outermost, row as isize);
        }
        self.source.data.wrapping_offset(place.data)
    }

    /// Copies rows of small tables side by side.
    fn pack_joined(&mut self, rows: Range<usize>, columns: Range<usize>) {
        let (len, width) = (self.columns.len, columns.len());
        let first = self.to_next_table(columns.start).min(width);
        let place = self.place(columns.start);
        let starts = rows.map(|row| self.place_in_row(place, row));
        let starts = starts.collect::<SmallVec<[_; ROWS]>>();
        let back = self.columns.data * (len - first) as isize;
        for (row, &start) in self.buffer.chunks_exact_mut(width).zip(&starts) {
            // SAFETY: elements of a row of one table; `new`'s caller vouches for them.
            unsafe { gather_few(&mut row[..first], start, self.columns.data) };
        }
        // (All rows of some tables: their cache lines might not be there any more after those of all others.)
        let some = AT_ONCE * len;
        for (i, at) in (first..width).step_by(some).enumerate() {
            let moved = self.joined.data * (1 + i * AT_ONCE) as isize - back;
            for (row, &start) in self.buffer.chunks_exact_mut(width).zip(&starts) {
                let packed = &mut row[at..width.min(at + some)];
                let data = start.wrapping_offset(moved);
                // SAFETY: the same row of the next tables; as above.
                unsafe { gather_runs(packed, len, data, self.joined.data, self.columns.data) };
            }
        }
        if self.source.swapped {
            self.buffer[..width * starts.len()].iter_mut().for_each(|x| *x = x.swap_bytes());
        }
    }
}

impl<E: Element> Rows<E> for Table<'_, E> {
    fn lines(&mut self, rows: Range<usize>, columns: Range<usize>) -> Lines<'_, E> {
        let Shape { copies, n, .. } = self.shape;
        let whole = rows.start <= rows.end && rows.end * copies <= n as usize;
        let Some(pitch) = self.pitch.filter(|_| whole) else {
            return Lines::Apart(self.rows(rows, columns));
        };
        let start = self.source.data.wrapping_offset(self.tables.place.data).cast::<E>();
        let start = start.wrapping_add(rows.start * pitch);
        // SAFETY: n times the axis of the columns are elements of the cells, native and aligned, one after
        // the other (`pitch`), for which `new`'s caller vouches; and the rows, each `copies` times
        // that axis, end among them.
        let data = unsafe { std::slice::from_raw_parts(start, rows.len() * pitch) };
        Lines::Dense { data, pitch, first: self.slab + columns.start }
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
            None => (self.to_next(), [0..self.shape.rows.min(ROWS), 0..columns.len()]),
        };
        for (next, row) in next_rows.iter_mut().zip(places) {
            let row = self.row_in_place(row, &next_columns);
            let Some((beyond, row)) = beyond.zip(row) else { break };
            let row = row.cast::<u8>().wrapping_offset(beyond).cast();
            // SAFETY: elements of a row of this table or the next, in memory and not in the buffer;
            // `new`'s caller vouches for them.
            *next = unsafe { std::slice::from_raw_parts(row, next_columns.len()) };
        }
        [self.rows(rows, columns), next_rows]
    }

    fn rows(&mut self, rows: Range<usize>, columns: Range<usize>) -> [&[E]; ROWS] {
        let Shape { copies, n, .. } = self.shape;
        // What `new`'s caller vouches for.
        assert!(rows.end <= self.shape.rows && columns.end <= self.shape.columns * copies);
        assert!(rows.len() <= ROWS);
        let (len, width) = (self.shape.columns, columns.len());
        if self.buffer.is_empty() && !(self.in_place && n % copies as u64 == 0) {
            self.buffer = vec![E::zero(); ROWS * TILE.min(len * copies)];
        }
        if self.runs && rows.len() == ROWS && rows.start % self.run() + ROWS <= self.run() {
            let start = self.start_of_row(rows.start);
            let start = start.wrapping_offset(self.columns.data * columns.start as isize);
            transpose(
                self.level,
                #[inline(always)]
                |column| {
                    let run = start.wrapping_offset(self.columns.data * column as isize);
                    // SAFETY: elements of a cell, side by side, native and aligned; `new`'s caller
                    // vouches for them.
                    unsafe { &*run.cast::<[E; ROWS]>() }
                },
                &mut self.buffer[..ROWS * width],
                width,
            );
            return std::array::from_fn(|k| &self.buffer[k * width..(k + 1) * width]);
        }
        if self.joined.len > 1 {
            self.pack_joined(rows, columns);
            return std::array::from_fn(|k| {
                self.buffer.get(k * width..(k + 1) * width).unwrap_or(&[])
            });
        }
        let mut in_place = [std::ptr::null(); ROWS];
        for (k, row) in rows.enumerate() {
            if let Some(start) = self.row_in_place(row, &columns) {
                in_place[k] = start;
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
        if table.in_place {
            table.reading = reading;
            table.most = SLAB.max(reading.tile());
            table.shape.columns = table.width().min(table.most);
        }
        let (mut all, mut means) = (vec![], vec![]);
        loop {
            for open in table.means(Binary::B64, &mut means) {
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
                        let open = table.means(Binary::B64, &mut means);
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
