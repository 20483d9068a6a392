//! How cells are best read: which of them as a table, how wide it is made, and what of it is read in place.
//!
//! What is said here to be side by side, `plane.rs` and `table.rs` read as slices.

use crate::gather::Source;
use crate::layout::{Axis, Place};
use mean_core::{
    Ahead, Binary, Course, Element, Level, Reading, Shape, FAR, MOST_ROWS, ROWS, TILE, WORTH_A_COPY,
};

/// Runs of so few neighbours are averaged side by side even where they lie apart.
const FEW: usize = 128;
/// And with a mask or what is missing to skip: one cell after the other is then as quick from fewer on.
const FEW_TO_SIFT: usize = 31;
/// So many columns are looked at in one go, or a whole [`Reading::tile`]: means of more would be new pages of memory
/// at each call.
pub(crate) const SLAB: usize = 4 * TILE;
/// And of cells that lie apart, so that what is read of them at once fits a cache.
const SLAB_OF_RUNS: usize = 256;
/// Fewer cells are not worth a table; nor, unless they are runs to be read by themselves, are fewer than
/// so many of up to `SHORT` elements.
const WORTH_A_TABLE: usize = 5;
const WORTH_A_TABLE_OF_SHORT: usize = 9;
const SHORT: usize = 128;
/// But what is one slice of so many bytes is to be read only once, if all is more than most second caches hold.
const WORTH_ONE_READING: usize = 1 << 19;
const FROM_FAR: usize = 2 << 20;

/// Of rows of fewer elements a mask and what it is for are not copied piece by piece.
const WORTH_COPYING_TWICE: usize = 32;

/// What is one axis but for the mask, or the result, is joined from so many columns on.
const WORTH_JOINING: usize = 64;

/// Of fewer complex numbers a run is not read by itself.
const WORTH_A_RUN: usize = 32;

/// Longer runs are better read one after the other, unless they come from memory: then the next one is to be asked for.
/// (On Intel; elsewhere it is not measured.)
const LONGEST_IN_CACHE: usize = 1 << 11;

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

/// How a plane's rows are read, if they are not packed element by element.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Way {
    /// As they are in memory.
    pub in_place: bool,
    /// By transposing runs: elements of a column are side by side.
    pub runs: bool,
}

/// How the cells of some tables are read.
pub(crate) struct Arrangement<'a> {
    pub columns: Axis,
    /// The axis of small tables that are one.
    pub joined: Axis,
    /// The axes of the tables.
    pub tables: &'a [Axis],
    /// Of a table, or if that is too wide of the columns that are in hand at first.
    pub shape: Shape,
    pub elements: Way,
    pub masks: Way,
    /// Whether each cell is one run, to be read by itself; or so many cells take turns in one.
    pub apart: bool,
    pub parts: usize,
    pub reading: Reading,
    /// How early runs to be read by themselves are asked for.
    pub ahead: Option<Ahead>,
    /// Elements from row to row, where all elements of the cells follow one another, row after row.
    pub pitch: Option<usize>,
}

impl<'a> Arrangement<'a> {
    /// Of `cells`, whose last axis is that of the columns; `None` where each cell is better read by itself.
    pub fn of<E: Element>(
        level: Level,
        source: &Source,
        cells: &'a [Axis],
        first: Place,
        format: Binary,
    ) -> Option<Self> {
        let all = source.axes.iter().chain(cells);
        let bytes = all.fold(size_of::<E>(), |bytes, axis| bytes.saturating_mul(axis.len));
        let is_far = bytes >= FAR && Course::of(bytes).parts > 1;
        let cells = Cells::of::<E>(source, cells, first)?;
        let takes_rows = |n| (n <= LONGEST_IN_CACHE || is_far) && E::takes_rows(level, n, format);
        let joined = cells.joined(takes_rows, bytes)?;
        let (mut shape, elements) = cells.shape(&joined);
        let masks = cells.way_of_masks(&joined, shape.copies);
        let Joined { axis, tables, width, apart, parts, .. } = joined;
        // (What is not read in place nor transposed is copied in pieces of a row.)
        let in_pieces = |way: Way| !way.in_place && !way.runs && axis.len == 1 && !apart;
        if source.mask.is_some()
            && cells.columns.len < WORTH_COPYING_TWICE
            && (in_pieces(elements) || in_pieces(masks))
        {
            return None;
        }
        let row = width * shape.copies;
        let all_in_place = source.all_count() && elements.in_place;
        let dense = all_in_place && source.axes.len() == 1 && cells.rows_follow(width);
        let reading = Reading::of(bytes, all_in_place && axis.len == 1 && row >= WIDE);
        // (Runs may overlap: then all of them are near.)
        let from_run_to_run = if parts == 1 { cells.columns.data } else { axis.data };
        let run = (parts * cells.run.len).saturating_mul(size_of::<E>());
        let ahead = if from_run_to_run.unsigned_abs() >= run { Ahead::of(bytes) } else { None };
        let copied = axis.len > 1 || elements.runs;
        let most = if shape.grouped {
            TILE / cells.run.len
        } else if copied && !apart && !elements.in_place {
            SLAB_OF_RUNS
        } else {
            SLAB.max(reading.tile())
        };
        shape.columns = width.min(most);
        shape.counted = (!source.all_count()).then_some(source.skip.is_some());
        Some(Self {
            columns: cells.columns,
            joined: axis,
            tables,
            shape,
            elements,
            masks,
            apart,
            parts,
            reading,
            ahead,
            pitch: dense.then_some(row),
        })
    }
}

/// Cells of some tables, and what is known of them.
struct Cells<'a, 'b> {
    source: &'b Source<'b>,
    /// Elements of a cell, and the innermost axis of them, or one of length 1.
    n: usize,
    run: Axis,
    columns: Axis,
    /// The axes of the tables.
    tables: &'a [Axis],
    /// Bytes of an element.
    size: isize,
    /// Whether elements that are side by side can be read in place; and whether runs are such.
    plain: bool,
    side_by_side: bool,
}

/// Which of them are one table.
struct Joined<'a> {
    /// The axis of small tables that are one, or one of length 1.
    axis: Axis,
    /// Whether it and that of the columns are one axis, but for the mask.
    continues: bool,
    /// The axes of the tables.
    tables: &'a [Axis],
    /// All columns of a table.
    width: usize,
    /// As in [`Arrangement`].
    apart: bool,
    parts: usize,
}

impl<'a, 'b> Cells<'a, 'b> {
    fn of<E>(source: &'b Source<'b>, cells: &'a [Axis], first: Place) -> Option<Self> {
        let (&columns, tables) = cells.split_last()?;
        let n = source.axes.iter().fold(1_usize, |n, axis| n.saturating_mul(axis.len));
        // (Both parts of a complex number decide whether it counts.)
        if n as u64 > MOST_ROWS || source.skip.is_some_and(|other| other != 0) {
            return None;
        }
        let run = source.axes.last().copied().unwrap_or(Axis::ONE);
        let size = size_of::<E>() as isize;
        let plain =
            !source.swapped && source.is_aligned::<E>(first, source.axes.iter().chain(cells));
        let side_by_side = plain && run.data == size;
        Some(Self { source, n, run, columns, tables, size, plain, side_by_side })
    }

    /// `None` where each is better read by itself, and not in a table; of so many bytes in all.
    fn joined(&self, takes_rows: impl Fn(usize) -> bool, of_all: usize) -> Option<Joined<'a>> {
        let &Self { source, n, run, columns, size, .. } = self;
        let all_count = source.all_count();
        let is_one_run = source.axes.len() == 1;
        let mut apart = self.side_by_side
            && (source.mask.is_none() || run.mask == 1)
            && is_one_run
            && takes_rows(n);
        let few = if all_count { FEW } else { FEW_TO_SIFT };
        let are_closer = columns.data.unsigned_abs() < run.data.unsigned_abs();
        if !(apart || run.len <= few || are_closer) {
            return None;
        }
        let (mut axis, mut tables, mut continues, mut parts) = (Axis::ONE, self.tables, false, 1);
        if let Some((&last, others)) = self.tables.split_last() {
            // (Complex numbers: of each cell, both parts in turn.)
            let in_turn =
                self.plain && columns.len == 2 && columns.data == size && run.data == 2 * size;
            continues = last.data == columns.data * columns.len as isize
                && last.len.saturating_mul(columns.len) >= WORTH_JOINING;
            if in_turn && all_count && is_one_run && n >= WORTH_A_RUN && takes_rows(2 * n) {
                (axis, tables, apart, parts) = (last, others, true, 2);
            } else if columns.data != 0
                && are_closer
                && (continues || are_small(last.len, n, columns.len))
            {
                (axis, tables) = (last, others);
            }
        }
        let width = columns.len * axis.len;
        let bytes = n.saturating_mul(width).saturating_mul(size as usize);
        let is_far = of_all >= FROM_FAR && bytes >= WORTH_ONE_READING;
        let least = if is_far && is_one_run && self.are_one_slice() {
            2
        } else if n <= SHORT && !apart {
            WORTH_A_TABLE_OF_SHORT
        } else {
            WORTH_A_TABLE
        };
        (width >= least).then_some(Joined { axis, continues, tables, width, apart, parts })
    }

    /// Whether rows, of all columns of a table, follow one another.
    fn rows_follow(&self, width: usize) -> bool {
        self.run.data == self.size * width as isize
    }

    /// Whether rows of a table follow one another, and masks as well.
    fn are_one_slice(&self) -> bool {
        let &Self { source, run, columns, size, .. } = self;
        let masks_follow = columns.mask == 1 && run.mask == columns.len as isize;
        let is_masked = source.mask.is_some();
        self.plain
            && columns.data == size
            && self.rows_follow(columns.len)
            && (!is_masked || masks_follow)
    }

    /// Whether so many rows that follow one another are one: of several axes only those of the last.
    fn fits(&self, copies: usize) -> bool {
        self.source.axes.len() == 1 || self.run.len.is_multiple_of(copies)
    }

    /// The shape of a table, and how its elements are read.
    fn shape(&self, joined: &Joined) -> (Shape, Way) {
        let &Self { source, n, run, columns, size, .. } = self;
        let is_joined = joined.axis.len > 1;
        let mut shape = Shape::new(n, joined.width);
        // (Runs are transposed, which is worth more than wider rows.)
        if is_joined || self.side_by_side && columns.len >= ROWS {
            (shape.copies, shape.rows) = (1, n);
        }
        let widest = (1..=shape.copies).rev().find(|&copies| self.fits(copies)).unwrap_or(1);
        let beside = self.plain
            && (!is_joined || joined.continues)
            && columns.data == size
            && (shape.copies == 1 || widest > 1 && self.rows_follow(joined.width));
        let grouped = self.side_by_side
            && source.all_count()
            && !is_joined
            && source.axes.len() > 1
            && columns.data == size * run.len as isize
            && n / run.len >= WORTH_A_COPY;
        let in_place = beside || grouped;
        if in_place {
            shape.copies = if grouped { run.len } else { widest };
            shape.rows = n.div_ceil(shape.copies);
            shape.grouped = grouped;
        }
        let runs = self.side_by_side && !is_joined && !in_place && shape.copies == 1;
        (shape, Way { in_place, runs })
    }

    /// How masks are read, of so many copies of each column.
    fn way_of_masks(&self, joined: &Joined, copies: usize) -> Way {
        if joined.axis.len > 1 {
            return Way::default();
        }
        let follow = self.run.mask == self.columns.len as isize && self.fits(copies);
        let in_place = self.columns.mask == 1 && (copies == 1 || follow);
        Way { in_place, runs: !in_place && self.run.mask == 1 && copies == 1 }
    }
}
