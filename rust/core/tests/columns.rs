//! The columns of tables, and the same as rows, against the exact path, bit for bit, at every SIMD
//! level.
//!
//! Each column of a table is of another family and scale: its neighbours are none of its business.

#[macro_use]
mod each;
#[allow(dead_code, reason = "what only the single mean's tests need")]
mod families;

use families::{Family, Input, Random, Tested, GROUPS};
use mean_core::{
    exact_mean, levels, mean, Ahead, Binary, Bool, Counted, Element, Float, Level, Lines, Reading,
    Remaining, Rows, Shape, Time, BF16, CACHE_LINE, F16, ROWS, TILE,
};
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{RngExt, SeedableRng};
use std::ops::Range;

/// A table, row after row with `gap` elements between them that nobody may read, and its means.
struct Table<F> {
    data: Vec<F>,
    rows: usize,
    columns: usize,
    gap: usize,
    /// Its columns, one after the other.
    as_rows: Vec<F>,
    means: Vec<F>,
}

/// A table in one piece of memory, row after row: a narrow one as fewer, wider rows.
struct Contiguous<'a, E> {
    data: &'a [E],
    shape: Shape,
    reading: Reading,
    /// The last row, filled up with zeros, if the table ends in the midst of it.
    last: Vec<E>,
}

impl<'a, E: Float> Contiguous<'a, E> {
    /// The table of `data` with so many columns, which divide its length.
    fn new(data: &'a [E], columns: usize, reading: Reading) -> Self {
        let n = data.len() / columns;
        debug_assert!(n * columns == data.len());
        let shape = Shape::new(n, columns);
        let width = shape.copies * columns;
        let mut last = data[data.len() / width * width..].to_vec();
        if !last.is_empty() {
            last.resize(width, E::signed(false, 0));
        }
        Self { data, shape, reading, last }
    }

    /// What [`Element::means_of_columns`](mean_core::Element::means_of_columns) is to be told.
    fn shape(&self) -> Shape {
        self.shape
    }
}

impl<E: Float> Rows<E> for Contiguous<'_, E> {
    #[inline(always)]
    fn rows(&mut self, rows: Range<usize>, columns: Range<usize>) -> [&[E]; ROWS] {
        let width = self.shape.columns * self.shape.copies;
        let mut found = [&self.last[..0]; ROWS];
        for (found, row) in found.iter_mut().zip(rows) {
            let row = self.data.get(row * width..(row + 1) * width).unwrap_or(&self.last);
            *found = &row[columns.clone()];
        }
        found
    }

    fn lines(&mut self, rows: Range<usize>, columns: Range<usize>) -> Lines<'_, E> {
        let pitch = self.shape.columns * self.shape.copies;
        let blocks = self.data.len() / pitch / ROWS;
        if self.reading == Reading::Long && columns == (0..pitch) && rows.end <= blocks * ROWS {
            // In another order; and each row goes on.
            let first = (blocks - 1) * ROWS - rows.start;
            return Lines::Apart(std::array::from_fn(|k| &self.data[(first + k) * pitch..]));
        }
        match self.data.get(rows.start * pitch..rows.end * pitch) {
            Some(data) => Lines::Dense { data, pitch, first: columns.start },
            None => Lines::Apart(self.rows(rows, columns)),
        }
    }

    fn reading(&self) -> Reading {
        self.reading
    }

    fn take_memory(&mut self) -> Vec<f64> {
        anything(self.shape)
    }
}

/// What another table may have left.
fn anything(shape: Shape) -> Vec<f64> {
    let some = [f64::NAN, f64::INFINITY, -1.5e300][shape.rows % 3];
    vec![some; [0, 999, 50_000][shape.columns % 3]]
}

/// Reads a table in place, and sees that it is asked for no more than it may be.
struct InPlace<'a, F>(&'a Table<F>, Reading);

impl<'a, F: Tested> InPlace<'a, F> {
    fn part(&self, [rows, columns]: [Range<usize>; 2]) -> [&'a [F]; ROWS] {
        let table = self.0;
        assert!(!rows.is_empty() && rows.len() <= ROWS && rows.end <= table.rows);
        assert!(
            !columns.is_empty() && columns.len() <= self.1.tile() && columns.end <= table.columns
        );
        let row = |k| &table.data[(rows.start + k) * (table.columns + table.gap)..];
        std::array::from_fn(|k| if k < rows.len() { &row(k)[columns.clone()] } else { &[] })
    }
}

impl<F: Tested> Rows<F> for InPlace<'_, F> {
    fn rows(&mut self, rows: Range<usize>, columns: Range<usize>) -> [&[F]; ROWS] {
        self.part([rows, columns])
    }

    fn reading(&self) -> Reading {
        self.1
    }

    fn rows_and_next(
        &mut self,
        now: [Range<usize>; 2],
        next: Option<[Range<usize>; 2]>,
    ) -> [[&[F]; ROWS]; 2] {
        let [rows, columns] = &now;
        let is_last = rows.end == self.0.rows && columns.end == self.0.columns;
        assert_eq!(next.is_none(), is_last);
        // (Of another table: as long, and no longer.)
        let beyond = [&self.0.data[..columns.len()]; ROWS];
        [self.part(now), next.map_or(beyond, |next| self.part(next))]
    }
}

impl<F: Tested> Table<F> {
    /// A table of columns that `fill` makes.
    fn new(rows: usize, columns: usize, gap: usize, mut fill: impl FnMut(usize, &mut [F])) -> Self {
        let mut data = vec![F::nan(); rows * (columns + gap)];
        let (mut as_rows, mut means) = (vec![], vec![]);
        let mut column = vec![F::nan(); rows];
        for c in 0..columns {
            fill(c, &mut column);
            as_rows.extend_from_slice(&column);
            means.extend(exact_mean(&column));
            let places = data[c..].iter_mut().step_by(columns + gap);
            places.zip(&column).for_each(|(place, x)| *place = *x);
        }
        Self { data, rows, columns, gap, as_rows, means }
    }

    /// Each column of another family, or of `family`.
    fn of_families(
        rows: usize,
        columns: usize,
        gap: usize,
        seed: u64,
        family: Option<Family<F>>,
    ) -> Self {
        Self::new(rows, columns, gap, |c, column| {
            let all = Family::<F>::ALL;
            let family = family.unwrap_or(all[(c + seed as usize) % all.len()]);
            let seed = seed << 20 ^ c as u64;
            let input = Input { family, n: rows, offset: 0, seed };
            input.with_data(|data| column.copy_from_slice(data));
        })
    }

    /// Compares every level's means with the exact ones, and returns how many were open at most.
    fn check(&self, what: &str) -> usize {
        let mut most = 0;
        let (rows, columns) = (self.rows, self.columns);
        let n = rows as u64;
        // Two columns in one run, in turn.
        let pairs = self.as_rows.chunks_exact(2 * rows).map(|pair| pair.split_at(rows));
        let in_turn: Vec<F> =
            pairs.flat_map(|(a, b)| a.iter().zip(b)).flat_map(|(&a, &b)| [a, b]).collect();
        for (name, level) in levels() {
            let mut check = |way: &str, table: &mut dyn Rows<F>, shape: Shape| {
                let what = format!("{what}, {way}, level {name}");
                most = most.max(self.check_table(&what, level, table, shape));
            };
            let shape = Shape { rows, columns, copies: 1, grouped: false, n, counted: None };
            check("in place", &mut InPlace(self, Reading::Far), shape);
            check("in place, long", &mut InPlace(self, Reading::Long), shape);
            if self.gap == 0 {
                for reading in [Reading::Near, Reading::ByVector, Reading::Long] {
                    let mut table = Contiguous::new(&self.data, columns, reading);
                    let wide = table.shape();
                    check(&format!("dense, {reading:?}"), &mut table, wide);
                    // (As a table of more columns is read.)
                    if wide.copies > 1 {
                        let (data, last) = (&self.data, vec![]);
                        let mut table = Contiguous { data, shape, reading, last };
                        check(&format!("dense as it is, {reading:?}"), &mut table, shape);
                    }
                }
            }
            let fits = |k: &usize| rows % k == 0 && k * columns <= TILE;
            for copies in [2, 3, 16].into_iter().filter(fits) {
                let rows = rows / copies;
                let part = |row, c| &self.as_rows[(c * rows + row) * copies..][..copies];
                let row = |row| (0..columns).flat_map(move |c| part(row, c)).copied();
                let data: Vec<F> = (0..rows).flat_map(row).collect();
                let shape = Shape { rows, columns, copies, grouped: true, n, counted: None };
                for reading in [Reading::Near, Reading::ByVector, Reading::Long] {
                    let mut table = Contiguous { data: &data, shape, reading, last: vec![] };
                    check(&format!("grouped, {reading:?}"), &mut table, shape);
                }
            }
            if F::takes_rows(level, rows, F::BINARY) {
                let some = |first: usize, some: &mut [_]| {
                    assert!(first + some.len() <= columns);
                    let from = self.as_rows[first * rows..].chunks_exact(rows);
                    let from = from.map(|row| Counted::new(row, None, false));
                    some.iter_mut().zip(from).for_each(|(some, row)| *some = row);
                };
                let (near, far) = (4 * rows * size_of::<F>(), 8 << 10);
                let aheads = [(near, false), (far, true)];
                let aheads = aheads.map(|(bytes, is_far)| Some(Ahead { bytes, is_far }));
                let aheads = aheads.into_iter().chain([None]);
                let wide = F::takes_rows(level, 2 * rows, F::BINARY);
                for ahead in aheads.clone().filter(|_| wide && columns % 2 == 0) {
                    let some = |first: usize, some: &mut [_]| {
                        let from = in_turn[2 * first * rows..].chunks_exact(2 * rows);
                        let from = from.map(|row| Counted::new(row, None, false));
                        some.iter_mut().zip(from).for_each(|(some, row)| *some = row);
                    };
                    let mut means = vec![F::nan().to_bits(); columns];
                    let found = F::means_of_rows(level, [2 * rows, 2], &some, ahead, &mut means);
                    let what = format!("{what}, rows in turn, {ahead:?}, level {name}");
                    self.compare(&what, level, &means, &found);
                    most = most.max(found.open.len());
                }
                for ahead in aheads {
                    let mut means = vec![F::nan().to_bits(); columns];
                    let found = F::means_of_rows(level, [rows, 1], &some, ahead, &mut means);
                    let what = format!("{what}, rows, {ahead:?}, level {name}");
                    self.compare(&what, level, &means, &found);
                    most = most.max(found.open.len());
                }
            }
        }
        most
    }

    /// Compares the means of `table`, which has the same elements.
    fn check_table(
        &self,
        what: &str,
        level: Level,
        table: &mut dyn Rows<F>,
        shape: Shape,
    ) -> usize {
        let mut means = vec![F::nan().to_bits(); self.columns];
        let found = F::means_of_columns(level, table, shape, F::BINARY, &mut means);
        self.compare(what, level, &means, &found);
        found.open.len()
    }

    fn compare(&self, what: &str, level: Level, means: &[u64], found: &Remaining) {
        let Remaining { open, empty } = found;
        assert!(open.is_sorted_by(|a, b| a < b) && empty.is_empty(), "{what}");
        for (c, (got, want)) in means.iter().zip(&self.means).enumerate() {
            let got = F::from_bits(*got);
            if got.to_bits() != want.to_bits() && open.binary_search(&c).is_err() {
                let column = &self.as_rows[c * self.rows..(c + 1) * self.rows];
                panic!(
                    "{what}, {} rows, {} columns, column {c}: {got:?}, not {want:?} = {:?}, of {:?}",
                    self.rows,
                    self.columns,
                    mean(level, column),
                    &column[..column.len().min(20)]
                );
            }
        }
    }
}

/// A table of which not all elements count, in one piece of memory, and the same as rows.
struct Sifted<E> {
    rows: usize,
    columns: usize,
    skips: bool,
    data: Vec<E>,
    masks: Option<Vec<u8>>,
    /// Its columns, one after the other.
    as_rows: Vec<E>,
    masks_of_rows: Option<Vec<u8>>,
    /// Of each column those that count.
    kept: Vec<Vec<E>>,
}

impl<E: Element> Sifted<E> {
    /// Each column has what `fill` puts there, one to `rows` elements, or none; and anything between. `missing`:
    /// what is skipped if there is no mask.
    fn new(
        [rows, columns]: [usize; 2],
        rng: &mut Random,
        missing: Option<E>,
        junk: &[E],
        mut fill: impl FnMut(&mut Random, usize, usize) -> Vec<E>,
    ) -> Self {
        let mut data = vec![E::zero(); rows * columns];
        let by_mask = missing.is_none() || rng.random();
        let mut masks = vec![0; if by_mask { rows * columns } else { 0 }];
        let mut kept = vec![];
        let kind = rng.random_range(0..4);
        for c in 0..columns {
            let n = match (kind, rng.random_range(0..8)) {
                (_, 0) => rows,
                (0, _) => rng.random_range(0..=rows),
                (1, _) => rng.random_range(0..=rows.min(9)),
                (2, 1) => 0,
                (_, _) => rows - rng.random_range(0..=rows.min(2)),
            };
            let elements = fill(rng, c, n);
            assert!(elements.len() == n);
            let mut places: Vec<usize> = (0..rows).collect();
            places.shuffle(rng);
            for (i, &row) in places.iter().enumerate() {
                let at = row * columns + c;
                let counts = i < n;
                data[at] = match missing {
                    _ if counts => elements[i],
                    Some(missing) if !by_mask || rng.random() => missing,
                    _ => *junk.choose(rng).unwrap(),
                };
                if by_mask {
                    // (Any byte but 0 is true, and what is skipped may have one.)
                    let skipped = missing.is_some() && data[at].is_missing() && rng.random();
                    masks[at] = if counts || skipped { rng.random_range(1..=255) } else { 0 };
                }
            }
            kept.push(elements);
        }
        let places = (0..columns).flat_map(|c| (0..rows).map(move |row| row * columns + c));
        Self {
            rows,
            columns,
            skips: missing.is_some(),
            as_rows: places.clone().map(|at| data[at]).collect(),
            masks_of_rows: by_mask.then(|| places.map(|at| masks[at]).collect()),
            data,
            masks: by_mask.then_some(masks),
            kept,
        }
    }

    fn row(&self, column: usize) -> Counted<'_, E> {
        let row = column * self.rows..(column + 1) * self.rows;
        let mask = self.masks_of_rows.as_ref().map(|masks| &masks[row.clone()]);
        Counted::new(&self.as_rows[row], mask, self.skips)
    }

    /// What is read as `shape` says, the last row filled up.
    fn filled<T: Copy>(data: &[T], shape: Shape, more: T) -> Vec<T> {
        let mut data = data.to_vec();
        data.resize(shape.rows * shape.columns * shape.copies, more);
        data
    }

    /// Compares all means with those of what is kept, by `exact`; returns how many were open at most, of columns and
    /// of rows.
    fn check(&self, what: &str, format: Binary, exact: impl Fn(&[E]) -> u64) -> [usize; 2] {
        let (rows, columns) = (self.rows, self.columns);
        let counted = Some(self.skips);
        let want: Vec<_> =
            self.kept.iter().map(|kept| (!kept.is_empty()).then(|| exact(kept))).collect();
        let mut most = [0; 2];
        let mut compare = |what: String, kind: usize, means: &[u64], found: &Remaining| {
            let what = format!("{what}, {rows} rows, {columns} columns, skips {}", self.skips);
            assert!(found.open.is_sorted_by(|a, b| a < b), "{what}");
            let empty = (0..columns).filter(|&c| want[c].is_none());
            assert!(empty.eq(found.empty.iter().copied()), "{what}: {:?}", found.empty);
            for (c, want) in want.iter().enumerate().filter_map(|(c, want)| Some((c, (*want)?))) {
                let open = found.open.binary_search(&c).is_ok();
                assert!(
                    open || means[c] == want,
                    "{what}, column {c}, {} kept",
                    self.kept[c].len()
                );
            }
            most[kind] = most[kind].max(found.open.len());
        };
        for (name, level) in levels() {
            let plain = Shape { rows, columns, copies: 1, grouped: false, n: rows as u64, counted };
            let wide = Shape { counted, ..Shape::new(rows, columns) };
            for shape in [plain, wide] {
                let mut table = Masked {
                    data: Self::filled(&self.data, shape, E::zero()),
                    masks: self.masks.as_ref().map(|masks| Self::filled(masks, shape, 1)),
                    width: columns * shape.copies,
                };
                let mut means = vec![0x7ff8_0000_0000_0001; columns];
                let found = E::means_of_columns(level, &mut table, shape, format, &mut means);
                compare(format!("{what}, level {name}, {shape:?}"), 0, &means, &found);
            }
            if E::takes_rows(level, rows, format) {
                let some = |first: usize, some: &mut [_]| {
                    assert!(first + some.len() <= columns);
                    some.iter_mut().zip(first..).for_each(|(some, c)| *some = self.row(c));
                };
                let ahead = Ahead { bytes: 4 * rows * size_of::<E>(), is_far: false };
                for ahead in [None, Some(ahead)] {
                    let mut means = vec![0x7ff8_0000_0000_0001; columns];
                    let found = E::means_of_rows(level, [rows, 1], &some, ahead, &mut means);
                    compare(format!("{what}, level {name}, rows, {ahead:?}"), 1, &means, &found);
                }
            }
        }
        most
    }
}

/// The table of a [`Sifted`] and its masks.
struct Masked<E> {
    data: Vec<E>,
    masks: Option<Vec<u8>>,
    width: usize,
}

impl<E: Element> Rows<E> for Masked<E> {
    fn rows(&mut self, _: Range<usize>, _: Range<usize>) -> [&[E]; ROWS] {
        panic!("a table that has masks is asked for them")
    }

    fn rows_and_masks(
        &mut self,
        rows: Range<usize>,
        columns: Range<usize>,
    ) -> ([&[E]; ROWS], Option<[&[u8]; ROWS]>) {
        assert!(!rows.is_empty() && rows.len() <= ROWS && columns.len() <= TILE);
        let Self { data, masks, width } = self;
        let row = |k: usize| (rows.start + k) * *width..(rows.start + k + 1) * *width;
        let some = |k: usize| (k < rows.len()).then(|| row(k));
        let data =
            std::array::from_fn(|k| some(k).map_or(&[][..], |row| &data[row][columns.clone()]));
        let masks = masks.as_ref().map(|masks| {
            std::array::from_fn(|k| some(k).map_or(&[][..], |row| &masks[row][columns.clone()]))
        });
        (data, masks)
    }
}

/// A table whose columns' elements that count are of all families, or of one.
fn sifted_families<F: Tested>(
    shape: [usize; 2],
    seed: u64,
    family: Option<Family<F>>,
) -> Sifted<F> {
    let rng = &mut Random::seed_from_u64(seed);
    let missing = rng.random::<bool>().then(F::nan);
    let mut junk =
        vec![F::signed(true, 0), F::nearest(1e30), F::signed(false, 1), F::nearest(-0.7)];
    junk.extend([F::nan(), -F::nan(), F::infinity(true), F::infinity(false)]);
    Sifted::new(shape, rng, missing, &junk, |rng, c, n| {
        let all = Family::<F>::ALL;
        let family = family.unwrap_or(all[(c + seed as usize) % all.len()]);
        let mut elements = vec![];
        if n > 0 {
            let input = Input { family, n, offset: 0, seed: rng.random() };
            input.with_data(|data| elements = data.to_vec());
        }
        // (What is skipped is none of them.)
        if missing.is_some() && elements.iter().any(|x| x.is_missing()) {
            elements.fill(F::nearest(0.1));
        }
        elements
    })
}

fn exact_bits<F: Tested>(kept: &[F]) -> u64 {
    exact_mean(kept).expect("some are kept").to_bits()
}

fn sifted_columns<F: Tested>() {
    let mut seed = 0;
    let mut check = |rows: usize, columns: usize, family: Option<Family<F>>| {
        seed += 1;
        let what = family.map_or("sifted", |family| family.name);
        sifted_families([rows, columns], seed, family).check(what, F::BINARY, exact_bits);
    };
    for rows in 1..=40 {
        for columns in [1, 2, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 50, 64, 70] {
            check(rows, columns, None);
        }
    }
    for rows in 1..=9 {
        (0..60).for_each(|_| check(rows, 40, None));
    }
    for columns in [TILE - 1, TILE, TILE + 1, TILE + 33, 2 * TILE + 5] {
        [1, 2, 8, 9, 40].into_iter().for_each(|rows| check(rows, columns, None));
    }
    for rows in [55, 64, 65, 100, 248, 257, 504, 1017, 2048, 4090, 8185, 16_370] {
        [1, 3, 8, 33].into_iter().for_each(|columns| check(rows, columns, None));
    }
    for &family in Family::<F>::ALL {
        for rows in [1, 2, 3, 5, 8, 10, 31, 64, 65, 128, 300, 1000] {
            check(rows, 33, Some(family));
        }
    }
}

fn ordinary_sifted_columns_are_seldom_open<F: Tested>() {
    let ordinary = ["uniform", "normal", "zero mean"];
    let families = Family::<F>::ALL.iter().filter(|family| ordinary.contains(&family.name));
    for &family in families {
        for rows in [8, 100, 1000, 3000] {
            for seed in 0..4 {
                let columns = 200_000 / rows;
                let table = sifted_families([rows, columns], seed, Some(family));
                let [of_columns, of_rows] = table.check(family.name, F::BINARY, exact_bits);
                // (The rows' kernel has no flag.)
                let ties: f64 = table.kept.iter().map(|kept| 1.0 / kept.len().max(1) as f64).sum();
                for (open, ties) in [(of_columns, 0.0), (of_rows, ties)] {
                    let most = ties + columns as f64 * 0.01;
                    let most = most + 4.0 * most.sqrt();
                    assert!(
                        (open as f64) < most,
                        "{}: {open} of {columns}, {rows} rows",
                        family.name
                    );
                }
            }
        }
    }
}

for_each_type! {
    sifted_columns,
    ordinary_sifted_columns_are_seldom_open,
    small_tables,
    few_rows,
    few_large_and_few_zeros,
    few_rows_of_groups_of_other_scales,
    a_mean_beside_a_midpoint,
    columns_that_begin_with_zeros,
    sparse_columns_of_few_rows_are_not_open,
    edges_of_groups_and_tiles,
    groups_that_begin_with_a_cache_line,
    a_tile_of_one_group,
    edges_of_segments,
    each_family_alone,
    special_values,
    halves_dropped_to_one_side,
    pushed_out_by_small_elements,
    remainders_to_one_side,
    narrow_tables,
    rows_that_drop_halves_to_one_side,
    rows_that_go_far_from_their_anchors,
    rows_below_half_a_unit,
    ordinary_columns_are_seldom_open,
    random_shapes,
}

fn small_tables<F: Tested>() {
    for rows in 1..=40 {
        for columns in 1..=70 {
            let seed = (rows * 100 + columns) as u64;
            Table::<F>::of_families(rows, columns, columns % 3, seed, None).check("small");
        }
    }
}

/// Means a little beside a midpoint, by less than a sum of a few float64 shows, in any one order: all
/// columns of a table in the same, so that no other one takes the group to the anchors.
fn few_rows<F: Tested>() {
    let mut rng = Random::seed_from_u64(23);
    let precision = F::PRECISION as i32;
    for rows in 2..=17 {
        for round in 0..3000 {
            let mut order: Vec<usize> = (0..rows).collect();
            order.shuffle(&mut rng);
            // (Two parts, each of a precision, or anything.)
            let below = if rng.random() { 53 } else { rng.random_range(0..100) };
            let below = below + rng.random_range(-3..4);
            let apart = rng.random_range(1..70);
            let n = F::nearest(rows as f64);
            let table = Table::new(rows, 40, 0, |_, column| {
                let whole = rng.random_range(1..64_u32);
                let top = whole.ilog2() as i32;
                let exp2 = |e: i32| F::nearest(2_f64.powi(e));
                let zero = F::signed(rng.random(), 0);
                // Of the mean, half a unit in the last place.
                let half = n * exp2(top - precision);
                let tiny = exp2(top - precision - below);
                let tiny = *[zero, tiny, -tiny, tiny].choose(&mut rng).unwrap();
                let large = if round % 2 == 0 { exp2(apart) } else { zero };
                column.fill(zero);
                let parts = [n * F::nearest(whole.into()), half, tiny, large, -large];
                let some = order.iter().zip(parts);
                some.for_each(|(&place, part)| column[place] = part);
            });
            table.check("few");
        }
    }
}

/// A float64 sum whose mean is so near a midpoint of float32 that n divides it right, and 1 / n does not.
fn a_mean_beside_a_midpoint<F: Tested>() {
    let elements = [2.971056e28, 4398046500000.0, 1.7708874e21];
    let table = Table::new(3, 40, 0, |_, column| {
        column.iter_mut().zip(elements).for_each(|(x, element)| *x = F::nearest(element));
    });
    table.check("beside a midpoint");
}

/// What overflows on the way to a mean that does not, and sums of nothing but zeros.
fn few_large_and_few_zeros<F: Tested>() {
    for rows in 1..=9 {
        for signs in 0..1 << rows {
            let table = Table::new(rows, 40, 0, |c, column| {
                for (i, x) in column.iter_mut().enumerate() {
                    let negative = signs >> i & 1 == 1;
                    let largest = F::INFINITY - 1;
                    *x = F::signed(negative, if c % 2 == 0 { 0 } else { largest - c as u64 });
                }
            });
            let zeros = (0..40).step_by(2).all(|c| table.means[c].to_bits() == 0);
            assert!(zeros);
            table.check("large and zeros");
        }
    }
}

/// Anchors that suit the group before, and not this one: too low or too high, by a little or by far, for
/// infinities, or for nothing. Of subnormal numbers, too.
fn few_rows_of_groups_of_other_scales<F: Tested>() {
    let mut rng = Random::seed_from_u64(24);
    let (lowest, highest) = (F::MIN_EXPONENT, -F::MIN_EXPONENT - F::PRECISION as i32 - 7);
    for rows in 1..=8 {
        for _ in 0..200 {
            let (mut exponent, mut kind) = (0, 0);
            let table = Table::new(rows, 500, 0, |c, column| {
                if c % 8 == 0 {
                    exponent = match rng.random_range(0..4) {
                        0 => rng.random_range(lowest..highest),
                        1 => lowest + rng.random_range(0..9),
                        _ => (exponent + rng.random_range(-60..60)).clamp(lowest, highest),
                    };
                    kind = rng.random_range(0..40);
                }
                for x in column {
                    // (In two steps: powi would divide by infinity.)
                    let unit = 2_f64.powi(exponent / 2) * 2_f64.powi(exponent - exponent / 2);
                    *x = match kind {
                        0 => F::signed(rng.random(), 0),
                        1 => F::signed(rng.random(), F::INFINITY + u64::from(rng.random::<bool>())),
                        2..8 => F::nearest(f64::from(rng.random_range(0..9)) * unit),
                        8..20 => F::nearest(f64::from(rng.random_range(-9..9)) * unit),
                        _ => F::nearest((rng.random::<f64>() - 0.3) * unit * 8.0),
                    };
                }
            });
            table.check("other scales");
        }
    }
}

/// The rows that are to tell the anchors tell nothing of some columns, whose neighbours have the same scale, or another one,
/// or no anchor.
fn columns_that_begin_with_zeros<F: Tested>() {
    let mut rng = Random::seed_from_u64(31);
    let (lowest, highest) = (F::MIN_EXPONENT, -F::MIN_EXPONENT - F::PRECISION as i32 - 7);
    for rows in [2, 9, 16, 17, 40, 64, 65, 100] {
        for round in 0..60 {
            let zeros = [0.3, 0.7, 0.95][round % 3];
            let mut exponent = rng.random_range(lowest..highest);
            let table = Table::new(rows, 150, 0, |_, column| {
                if rng.random_range(0..20) == 0 {
                    exponent = rng.random_range(lowest..highest);
                }
                let unit = 2_f64.powi(exponent / 2) * 2_f64.powi(exponent - exponent / 2);
                column.fill_with(|| F::nearest((rng.random::<f64>() - 0.3) * unit * 8.0));
                let first = rng.random_range(0..rows);
                for (i, x) in column.iter_mut().enumerate() {
                    if i < first || rng.random_bool(zeros) {
                        *x = F::signed(rng.random(), 0);
                    }
                }
                match rng.random_range(0..100) {
                    0 => column[0] = F::infinity(false),
                    1 => column[0] = F::nan(),
                    2 => column[rows - 1] = F::signed(true, F::INFINITY - 1),
                    3 => column[0] = F::signed(false, 1),
                    _ => {}
                }
            });
            table.check("zeros first");
        }
    }
}

/// Zeros among other elements leave no column of few rows open.
fn sparse_columns_of_few_rows_are_not_open<F: Tested>() {
    let mut rng = Random::seed_from_u64(32);
    for rows in [9, 16, 17, 40, 64] {
        let table = Table::new(rows, 3000, 0, |_, column| {
            column.fill_with(|| {
                F::nearest(rng.random::<f64>() * f64::from(u8::from(rng.random_bool(0.3))))
            });
        });
        let (columns, n) = (table.columns, rows as u64);
        let shape = Shape { rows, columns, copies: 1, grouped: false, n, counted: None };
        for (name, level) in levels() {
            let rows = &mut InPlace(&table, Reading::Near);
            assert_eq!(table.check_table("sparse", level, rows, shape), 0, "{name}, {n} rows");
        }
    }
}

fn edges_of_groups_and_tiles<F: Tested>() {
    for columns in
        [TILE - 1, TILE, TILE + 1, TILE + 31, TILE + 32, TILE + 33, 2 * TILE, 3 * TILE + 5]
    {
        for rows in [1, 2, 3, 8, 9, 16, 17, 24, 100] {
            for round in 0..3 {
                let seed = (rows * 10_000 + columns * 3 + round) as u64;
                Table::<F>::of_families(rows, columns, 0, seed, None).check("tiles");
            }
        }
    }
}

/// Rows that begin anywhere in a cache line, all in the same place.
fn groups_that_begin_with_a_cache_line<F: Tested>() {
    for columns in [TILE / 2, TILE - CACHE_LINE, TILE + CACHE_LINE] {
        for rows in [1, 3, 8, 9, 64, 70] {
            let table = Table::<F>::of_families(rows, columns, 0, rows as u64, None);
            let mut memory = vec![F::nan(); table.data.len() + CACHE_LINE];
            for first in 0..CACHE_LINE / size_of::<F>() {
                let data = &mut memory[first..][..table.data.len()];
                data.copy_from_slice(&table.data);
                for (name, level) in levels() {
                    for reading in [Reading::Near, Reading::ByVector, Reading::Long] {
                        let what = format!("{first} before, {reading:?}, level {name}");
                        let mut rows = Contiguous::new(data, columns, reading);
                        let shape = rows.shape();
                        table.check_table(&what, level, &mut rows, shape);
                    }
                }
            }
        }
    }
}

/// So many tiles that the last one is left a single group, and shares columns with the one before.
fn a_tile_of_one_group<F: Tested>() {
    for columns in GROUPS.map(|group| TILE / group * TILE + 1 + group / 2) {
        for rows in [3, 9] {
            Table::<F>::of_families(rows, columns, 0, 1, None).check("one group");
        }
    }
}

/// Where L and the segments change, and whether there is a flag.
fn edges_of_segments<F: Tested>() {
    let seams = [23, 24, 55, 56, 64, 120, 248, 2 * 248, 504, 511, 1016, 5 * 248];
    let long = [4088, 8184, 2 * 8184, 3 * 8184 + 5];
    for seam in seams.into_iter().chain(long) {
        for rows in seam - 1..=seam + 2 {
            let columns = if rows > 4000 { 35 } else { 70 };
            Table::<F>::of_families(rows, columns, 0, rows as u64, None).check("segments");
        }
    }
}

/// So that all lanes of a group do the same, and none is proved by luck.
fn each_family_alone<F: Tested>() {
    for (i, &family) in Family::<F>::ALL.iter().enumerate() {
        for rows in [1, 2, 3, 5, 8, 10, 31, 64, 65, 128, 256, 300, 512, 1000] {
            for round in 0..10 {
                let seed = (i * 100_000 + rows * 10 + round) as u64;
                Table::of_families(rows, 33, round % 2, seed, Some(family)).check(family.name);
            }
        }
    }
}

/// NaN and infinities anywhere leave their column open, and its neighbours alone.
fn special_values<F: Tested>() {
    for rows in [1, 7, 8, 9, 30, 300] {
        for at in 0..rows {
            for special in [F::nan(), -F::nan(), F::infinity(false), F::infinity(true)] {
                let table = Table::new(rows, 40, 0, |c, column| {
                    column.fill(F::nearest(1.0 + c as f64));
                    if c % 3 == 1 {
                        column[at] = special;
                        if c % 2 == 1 {
                            column[at / 2] = -special;
                        }
                    }
                });
                table.check("specials");
                // (Where a NaN is no maximum, it is found in passing.)
                let nan = cfg!(target_arch = "x86_64") && special.is_missing();
                for (name, level) in levels().into_iter().filter(|_| nan) {
                    let n = rows as u64;
                    let shape =
                        Shape { rows, columns: 40, copies: 1, grouped: false, n, counted: None };
                    let mut rows = InPlace(&table, Reading::Long);
                    let open = table.check_table("NaN", level, &mut rows, shape);
                    assert_eq!(open, 0, "{n} rows, NaN in {at}, level {name}");
                }
            }
        }
    }
}

/// How much higher the first anchors are where two rows tell them.
fn slack(n: usize) -> i32 {
    if n > 64 {
        0
    } else {
        4
    }
}

/// As the family of nearly that name, around the grids of a tile.
fn halves_dropped_to_one_side<F: Tested>() {
    let mut rng = Random::seed_from_u64(7);
    let precision = F::PRECISION as i32;
    for n in [20, 129, 140, 200, 248, 249, 300, 500, 1000, 1017, 2000].into_iter().take(11) {
        for _ in 0..60 {
            let table = Table::new(n, 64, 0, |c, column| {
                // With n just below a power of two the first element sets the anchor.
                let top = rng.random_range(-20..20);
                let least = (usize::BITS - (n + ROWS).leading_zeros()).max(5) as i32;
                let l = if F::BITS == 32 && least > 10 { 8 } else { least };
                let l = l + rng.random_range(-1..=1);
                let e = top + n.ilog2() as i32 + 1 + slack(n);
                let last_grid = e + if F::BITS == 64 { 2 * l - 103 } else { l - 51 };
                let exp2 = |e: i32| F::nearest(2_f64.powi(e));
                let half = exp2(last_grid - 1);
                column.fill(half);
                let i = rng.random_range(0..if n > 64 { 8 } else { 2 });
                column[i] = F::nearest(n as f64) * exp2(top);
                let one_more = *[0.0, 1.0, -1.0].choose(&mut rng).unwrap();
                column[(i + 1) % n] = F::nearest(n as f64) * exp2(top - precision)
                    + -F::nearest((n - 3) as f64 + one_more) * half;
                column[(i + 2) % n] = F::signed(rng.random(), 1);
                if c % 2 == 1 {
                    column.iter_mut().for_each(|x| *x = -*x);
                }
            });
            table.check("halves");
        }
    }
}

/// A large element that the first anchor still takes, and then so many small ones that the lane leaves
/// its binade in a block that has no large one: the new anchor must be above the old one all the same.
fn pushed_out_by_small_elements<F: Tested>() {
    let mut rng = Random::seed_from_u64(13);
    for n in [24, 40, 100, 248, 400, 1000] {
        let l = (usize::BITS - (n + ROWS).leading_zeros()).max(5) as i32;
        let table = Table::new(n, 64, 0, |_, column| {
            column.fill_with(|| F::nearest(rng.random_range(0.5..1.0)));
            // (The lane may go so far from its anchor.)
            let steps = rng.random_range(9.0..n as f64) * 0.75;
            column[8] = F::nearest(2_f64.powi(l + slack(n)) - steps);
        });
        table.check("pushed out");
    }
}

/// Every remainder of the first window is nearly half a unit and positive: the second window goes as
/// far from its anchor as it can.
fn remainders_to_one_side<F: Tested>() {
    for n in [20, 500, 5000, 10_000, 16_000, 40_000] {
        let least = (usize::BITS - (n + ROWS).leading_zeros()).max(5) as i32;
        let l = if F::BITS == 32 {
            if least > 10 {
                8
            } else {
                least
            }
        } else {
            least.min(13)
        };
        let l = l + slack(n);
        let table = Table::new(n, 32, 0, |c, column| {
            // The elements are below 1; u1 = 2^(l - 51).
            let low = 2_f64.powi(l - 52) - 2_f64.powi(l - 52 - 20 + c as i32 % 3);
            column.fill(F::nearest(2_f64.powi(-20 + c as i32 % 7) + low));
            column[0] = F::nearest(0.75);
        });
        table.check("one side");
    }
}

/// The binary exponent of the first anchor of a row of n elements with magnitudes from 2^e on, below
/// twice that, and the last grid's.
fn anchor_and_grid<F: Tested>(n: usize, e: i32, group: usize) -> (i32, i32) {
    let bits = |n: usize| (usize::BITS - n.leading_zeros()) as i32;
    let anchor = e + bits(n.div_ceil(group)) + 6;
    (anchor, anchor - 52 + if F::BITS == 64 { bits(n) - 52 } else { 0 })
}

/// As columns that do, at the anchors of the first row.
fn rows_that_drop_halves_to_one_side<F: Tested>() {
    let mut rng = Random::seed_from_u64(17);
    let precision = F::PRECISION as i32;
    for n in [32_usize, 33, 50, 64, 100, 129, 1000, 2048, 4096] {
        for round in 0..60 {
            let n = if round % 2 == 0 { n } else { 1 << n.ilog2() };
            let (_, last_grid) = anchor_and_grid::<F>(n, n.ilog2() as i32, GROUPS[round / 2 % 3]);
            // (Also where half a unit is the smallest subnormal number.)
            let lowest = F::BITS == 32 && round % 4 == 3;
            let down = if lowest { F::MIN_EXPONENT + 1 - last_grid } else { 0 };
            let exp2 = |e: i32| F::nearest(2_f64.powi(e + down));
            let half = exp2(last_grid - 1 - if lowest { 0 } else { round as i32 / 6 % 2 });
            let table = Table::new(n, 40, 0, |c, column| {
                column.fill(half);
                let i = rng.random_range(0..n);
                column[i] = F::nearest(n as f64) * exp2(0);
                let more = *[-3.0, -1.0, 0.0, 1.0, 3.0].choose(&mut rng).unwrap();
                column[(i + 1) % n] = F::nearest(n as f64) * exp2(-precision)
                    + -F::nearest((n - 3) as f64 + more) * half;
                column[(i + 2) % n] = F::signed(rng.random(), 1);
                if c % 2 == 1 {
                    column.iter_mut().for_each(|x| *x = -*x);
                }
            });
            table.check("halves in rows");
        }
    }
}

/// Elements so much larger than the first row's that its anchors only just hold a row, or do not: what
/// the lanes hold together must not be rounded, in no window.
fn rows_that_go_far_from_their_anchors<F: Tested>() {
    let mut rng = Random::seed_from_u64(19);
    for n in [32, 63, 64, 100, 256, 500] {
        for round in 0..100 {
            let (anchor, _) = anchor_and_grid::<F>(n, 0, GROUPS[round % 3]);
            let steps = n.div_ceil(GROUPS[round % 3]) as f64;
            let table = Table::new(n, 65, 0, |c, column| {
                let most = 2_f64.powi(anchor - 4) / steps;
                let scale = if c == 0 { 1.0 } else { most * rng.random_range(0.4..1.2) };
                let least = *[0.0, 0.5, 0.9, 0.999].choose(&mut rng).unwrap();
                column.fill_with(|| F::nearest(scale * rng.random_range(least..1.0)));
                if c % 2 == 1 {
                    column.iter_mut().for_each(|x| *x = -*x);
                }
            });
            table.check("far");
        }
    }
}

/// A first row that anchors the others on a grid that drops them whole, down to the lowest grids.
fn rows_below_half_a_unit<F: Tested>() {
    for n in [32, 64, 100] {
        for above in 0..250 {
            let large = F::nearest(2_f64.powi(F::MIN_EXPONENT + above));
            for tiny in [1, 3, (1 << F::FRACTION_BITS) - 1].map(|bits| F::signed(false, bits)) {
                let table = Table::new(n, 7, 0, |c, column| {
                    column.fill(tiny);
                    if c % 3 == 0 {
                        column[0] = large;
                    }
                    if c % 6 == 3 {
                        column[1] = -large;
                    }
                });
                table.check("below half a unit");
            }
        }
    }
}

fn narrow_tables<F: Tested>() {
    for columns in [1, 2, 3, 5, 8, 31, 33, 100, 300, 512, 513] {
        for rows in [31, 32, 63, 64, 65, 100, 1000, 5000, 20_000] {
            if rows * columns <= 300_000 {
                let seed = (columns * 100_000 + rows) as u64;
                Table::<F>::of_families(rows, columns, 0, seed, None).check("narrow");
            }
        }
    }
}

fn ordinary_columns_are_seldom_open<F: Tested>() {
    let ordinary = ["uniform", "normal", "zero mean"];
    let families = Family::<F>::ALL.iter().filter(|family| ordinary.contains(&family.name));
    for &family in families {
        for rows in [8, 100, 129, 1000, 1016, 3000, 9000] {
            let columns = 1_000_000 / rows;
            let open = Table::of_families(rows, columns, 0, 3, Some(family)).check(family.name);
            // (What a row of float32 drops is more, the longer it is.)
            let dropped = if F::BITS == 32 && (2049..=4096).contains(&rows) { 0.01 } else { 0.001 };
            // (Some room for luck: four standard deviations.)
            let most = columns as f64 * (1.0 / rows as f64 + dropped);
            let most = most + 4.0 * most.sqrt();
            assert!((open as f64) < most, "{}: {open} of {columns}, {rows} rows", family.name);
        }
    }
    for rows in [8, 100, 1000] {
        let columns = 1000;
        let table = Table::new(rows, columns, 0, |c, column| {
            for (i, x) in column.iter_mut().enumerate() {
                *x = F::nearest((i * columns + c) as f64);
            }
        });
        let open = table.check("arange");
        assert!(open <= columns / rows + columns / 1000, "arange: {open} of {columns}");
    }
}

/// Of random data whose grid is the mean's one column in n is a tie. As rows from far are read, none is left open for it.
#[test]
fn ties_of_rows_from_far_are_decided() {
    let mut rng = Random::seed_from_u64(5);
    for rows in [66, 100, 128, 256, 300, 512] {
        let columns = 10_000;
        let table = Table::new(rows, columns, 0, |_, column| {
            column.fill_with(|| 1.0 + rng.random::<f64>());
        });
        let n = rows as u64;
        let shape = Shape { rows, columns, copies: 1, grouped: false, n, counted: None };
        let has_fma = |&(name, _): &_| !["fallback", "sse2"].contains(&name);
        for (name, level) in levels().into_iter().filter(has_fma) {
            let [near, long] = [Reading::Near, Reading::Long].map(|reading| {
                table.check_table("ties", level, &mut InPlace(&table, reading), shape)
            });
            assert!(near > columns / rows / 3 && long == 0, "{name}, {rows} rows: {near}, {long}");
        }
    }
}

/// Exact sums of n integers, whose mean is a midpoint or next to one, down to where the means are left to integers.
#[test]
fn exact_sums_of_any_number_are_decided() {
    let mut rng = Random::seed_from_u64(33);
    for rows in [2, 3, 5, 7, 9, 12, 17, 24, 33, 48, 63, 64, 65, 100, 129, 300, 511, 512] {
        for exponent in [-1000, -910, -904, -903, -902, -870, -800, 0, 900] {
            let table = Table::new(rows, 40, 0, |_, column| {
                // An odd integer of 54 bits, and two next to it, times n.
                let middle = 1_u64 << 53 | rng.random_range(0..1_u64 << 53) | 1;
                let beside = rng.random_range(-1..=1);
                column.fill((middle - 1) as f64);
                column[0] = f64::from(rows as i32 + beside);
                column[1] *= 2.0;
                column.shuffle(&mut rng);
                let sign = if rng.random() { 1.0 } else { -1.0 };
                for x in column {
                    *x *= sign * 2_f64.powi(exponent / 2) * 2_f64.powi(exponent - exponent / 2);
                }
            });
            let n = rows as u64;
            let shape = Shape { rows, columns: 40, copies: 1, grouped: false, n, counted: None };
            for (name, level) in levels() {
                let has_fma = !["fallback", "sse2"].contains(&name);
                for reading in [Reading::Near, Reading::Long] {
                    let rows = &mut InPlace(&table, reading);
                    let open = table.check_table("exact", level, rows, shape);
                    let has_flag = n <= 64 || reading == Reading::Long;
                    let what = format!("{name}, {reading:?}, {n} rows, 2^{exponent}: {open}");
                    assert!(open == 0 || !has_flag, "{what}");
                    assert!(!has_fma || has_flag || open > 0, "{what}");
                }
            }
        }
    }
}

fn random_shapes<F: Tested>() {
    let mut rng = Random::seed_from_u64(11);
    for round in 0..2000 {
        let (most_rows, most_columns) = (1 << rng.random_range(0..10), 1 << rng.random_range(0..8));
        let [rows, columns] = [most_rows, most_columns].map(|most| rng.random_range(1..=most));
        Table::<F>::of_families(rows, columns, round % 2, round as u64, None).check("random");
    }
}

/// What the copies of a column drop when their low parts are added up is more than the radius can say
/// where all is subnormal: a sum of -1 unit is no zero.
#[test]
fn a_sum_near_zero_of_copies_keeps_its_sign() {
    let unit = |n: i64| n as f64 * f64::from_bits(1);
    for (n, columns, copies) in
        [(1 << 14, 4, 256), (1 << 15, 4, 256), (1 << 15, 16, 64), (1 << 16, 4, 256)]
    {
        let whole = (1_i64 << 53) + (1 << 47);
        let part = 1_i64 << 41;
        let parts = (whole - 1) / part;
        let mut column = vec![0.0; n];
        column[0] = unit(-whole);
        column[n - 1 - parts as usize..n - 1].fill(unit(part));
        column[n - 1] = unit(whole - 1 - parts * part);
        let data: Vec<f64> = column.iter().flat_map(|&x| vec![x; columns]).collect();
        assert_eq!(exact_mean(&column).map(f64::to_bits), Some((-0.0_f64).to_bits()));
        for (name, level) in levels() {
            // (So that `part` is less than the high windows hold.)
            let (rows, last, mut means) = (n / copies, vec![], vec![0; columns]);
            let n = n as u64;
            let shape = Shape { rows, columns, copies, grouped: false, n, counted: None };
            let mut table = Contiguous { data: &data, shape, reading: Reading::Near, last };
            let found = f64::means_of_columns(level, &mut table, shape, Binary::B64, &mut means);
            for column in (0..columns).filter(|column| !found.open.contains(column)) {
                assert_eq!(means[column], (-0.0_f64).to_bits(), "{name}, {n} rows");
            }
        }
    }
}

/// Elements of the other types, by the mean of those that count alone.
#[test]
fn sifted_columns_of_other_types() {
    fn check<E: Element>(missing: Option<E>, junk: &[E], element: impl Fn(&mut Random) -> E) {
        let mut rng = Random::seed_from_u64(29);
        for rows in [1, 2, 7, 8, 9, 40, 100, 3000] {
            for columns in [1, 3, 8, 40, 300, TILE + 1] {
                if rows * columns > 100_000 {
                    continue;
                }
                let formats = [Binary::B64, Binary::B32, Binary::B16, Binary::BF16];
                for format in formats.into_iter().filter(|&format| E::takes_columns(format)) {
                    let fill = |rng: &mut Random, _, n| (0..n).map(|_| element(rng)).collect();
                    let table = Sifted::new([rows, columns], &mut rng, missing, junk, fill);
                    table.check("other types", format, |kept| {
                        E::mean_bits(Level::fallback(), kept, kept.len() as u64, format)
                    });
                }
            }
        }
    }
    check(None, &[u8::MAX, 1], |rng| rng.random());
    check(None, &[i8::MIN, 1], |rng| rng.random());
    check(None, &[u16::MAX, 1], |rng| rng.random());
    check(None, &[i16::MIN, 1], |rng| rng.random());
    check(None, &[u32::MAX, 1], |rng| rng.random());
    check(None, &[i32::MIN, 1], |rng| rng.random());
    check(None, &[u64::MAX, 1], |rng| rng.random());
    check(None, &[i64::MIN, 1], |rng| rng.random());
    check(None, &[Bool(7)], |rng| Bool(rng.random_range(0..3)));
    for missing in [None, Some(0x7fff)] {
        let junk = [0x7f80, 0xfc00, 0xffff, 0x8000];
        check(missing.map(F16), &junk.map(F16), |rng| F16(rng.random_range(0..0x7c00)));
        check(missing.map(BF16), &junk.map(BF16), |rng| BF16(rng.random_range(0..0x7f80)));
    }
    check(None, &[Time::NAT], |rng| Time(rng.random()));
    check(Some(Time::NAT), &[Time(1)], |rng| Time(rng.random_range(-9..99)));
}
