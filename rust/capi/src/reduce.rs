//! One `mean_reduce` call: the checks in their documented order, then tables of cells, or cell after cell.

use crate::boundary::{
    mean_array, mean_dtype, mean_status, DTYPES, MEAN_DTYPE_SWAPPED, MEAN_SKIP_NAN,
};
use crate::call::guard;
use crate::cell::Cell;
use crate::gather::Source;
use crate::layout::{Axis, Layout, Place};
use crate::simd;
use crate::table::Table;
use crate::view::{View, MAX_NDIM};
use mean_core::{Binary, Course, Element, Float, Level};

/// What there is to know of a tag.
pub(crate) struct Dtype {
    tag: mean_dtype,
    /// Bytes of a part, and parts: two of a complex number.
    size: usize,
    parts: usize,
    kind: Kind,
    /// The means of an array of this type.
    means: unsafe fn(&Job) -> usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Real numbers; in this format if means can have it.
    Real(Option<Binary>),
    Complex(Binary),
    Time,
}

impl Dtype {
    /// Real numbers that are not a result.
    pub const fn real<E: Element>(tag: mean_dtype) -> Self {
        Self { tag, size: size_of::<E>(), parts: 1, kind: Kind::Real(None), means: means::<E> }
    }

    /// Real numbers of a format that means can have.
    pub const fn float<E: Float>(tag: mean_dtype) -> Self {
        Self { kind: Kind::Real(Some(E::BINARY)), ..Self::real::<E>(tag) }
    }

    /// Complex numbers, of two such.
    pub const fn complex<E: Float>(tag: mean_dtype) -> Self {
        Self { kind: Kind::Complex(E::BINARY), parts: 2, ..Self::real::<E>(tag) }
    }

    /// Times.
    pub const fn time<E: Element>(tag: mean_dtype) -> Self {
        Self { kind: Kind::Time, ..Self::real::<E>(tag) }
    }

    /// The dtype of a tag, and whether the bytes are swapped.
    fn find(tag: i32) -> Result<(&'static Self, bool), mean_status> {
        let (plain, swapped) = (tag & !MEAN_DTYPE_SWAPPED, tag & MEAN_DTYPE_SWAPPED != 0);
        let found = DTYPES.iter().find(|dtype| dtype.tag as i32 == plain);
        found.map(|dtype| (dtype, swapped)).ok_or(mean_status::MEAN_BAD_DTYPE)
    }

    /// What the parts of a mean of this dtype are rounded to, if it is to be of dtype `out`.
    fn format(&self, out: &Self) -> Result<Binary, mean_status> {
        match (self.kind, out.kind) {
            (Kind::Real(_), Kind::Real(Some(format))) => Ok(format),
            (Kind::Complex(_), Kind::Complex(format)) => Ok(format),
            (Kind::Time, Kind::Time) => Ok(Binary::B64), // not looked at
            _ => Err(mean_status::MEAN_BAD_DTYPE),
        }
    }
}

/// A checked reduction.
pub(crate) struct Job<'a> {
    level: Level,
    source: Source<'a>,
    /// The axes of the cells, and the first cell.
    kept: &'a [Axis],
    first: Place,
    out: *mut u8,
    format: Binary,
    out_size: usize,
}

/// The body of `mean_reduce`.
///
/// # Safety
///
/// That of `mean_reduce`.
pub(crate) unsafe fn reduce(
    array: *const mean_array,
    mask: *const mean_array,
    axes: u64,
    flags: u32,
    out: *const mean_array,
    empty_cells: *mut usize,
) -> mean_status {
    guard(|| {
        let (_, level) = simd::level().ok_or(mean_status::MEAN_BAD_SIMD_LEVEL)?;
        if array.is_null() || out.is_null() {
            return Err(mean_status::MEAN_NULL_POINTER);
        }
        // SAFETY: not null, so the caller vouches for it; so also for the next two.
        let array = unsafe { View::new(array) }?;
        // SAFETY: as above.
        let out = unsafe { View::new(out) }?;
        // SAFETY: as above.
        let mask = if mask.is_null() { None } else { Some(unsafe { View::new(mask) }?) };
        if flags & !MEAN_SKIP_NAN != 0 {
            return Err(mean_status::MEAN_BAD_FLAGS);
        }
        let (dtype, swapped) = Dtype::find(array.array.dtype)?;
        let (out_dtype, out_swapped) = Dtype::find(out.array.dtype)?;
        let format = dtype.format(out_dtype)?;
        let mask_fits =
            mask.as_ref().is_none_or(|mask| mask.array.dtype == mean_dtype::MEAN_DTYPE_BOOL as i32);
        if out_swapped || !mask_fits {
            return Err(mean_status::MEAN_BAD_DTYPE);
        }
        let ndim = array.shape.len();
        if ndim < MAX_NDIM && axes >> ndim != 0 {
            return Err(mean_status::MEAN_BAD_AXIS);
        }
        let sizes = [dtype, out_dtype].map(|dtype| dtype.size * dtype.parts);
        let mut layout = Layout::default();
        if !array.lay_out(mask.as_ref(), &out, sizes, axes, &mut layout)? {
            // SAFETY: the caller vouches for it unless it is null.
            unsafe { write_count(empty_cells, 0) };
            return Ok(());
        }
        if array.shape.contains(&0) {
            return Err(mean_status::MEAN_ZERO_LENGTH);
        }
        let mask_data = mask.as_ref().map(|mask| mask.array.data.cast_const().cast::<u8>());
        if array.array.data.is_null()
            || out.array.data.is_null()
            || mask_data.is_some_and(|data| data.is_null())
        {
            return Err(mean_status::MEAN_NULL_POINTER);
        }
        let skip = flags & MEAN_SKIP_NAN != 0;
        let split = dtype.parts == 2 && skip;
        if dtype.parts == 2 && !skip {
            // The parts are one more axis.
            layout.kept.push(Axis {
                len: 2,
                data: dtype.size as isize,
                mask: 0,
                out: out_dtype.size as isize,
            });
        }
        layout.sort();
        let bytes = array.shape.iter().fold(sizes[0], |bytes, &len| bytes.saturating_mul(len));
        if Course::of(bytes).from_end {
            layout.begin_at_the_end(sizes[0]);
        }
        let mut job = Job {
            level: *level,
            source: Source {
                data: array.array.data.cast_const().cast(),
                mask: mask_data,
                axes: &layout.reduced,
                swapped,
                skip: skip.then_some(if split { dtype.size as isize } else { 0 }),
            },
            kept: &layout.kept,
            first: layout.first,
            out: out.array.data.cast(),
            format,
            out_size: out_dtype.size,
        };
        // SAFETY: the caller vouches for the elements of the three arrays, and the layout has no
        // others.
        let mut empty = unsafe { (dtype.means)(&job) };
        if split {
            // The other parts, each beside its first.
            job.source.data = job.source.data.wrapping_add(dtype.size);
            job.source.skip = job.source.skip.map(|other| -other);
            job.out = job.out.wrapping_add(out_dtype.size);
            // SAFETY: as above.
            empty = unsafe { (dtype.means)(&job) };
        } else if dtype.parts == 2 {
            empty /= 2;
        }
        // SAFETY: the caller vouches for it unless it is null.
        unsafe { write_count(empty_cells, empty) };
        Ok(())
    })
}

/// # Safety
///
/// `to` must be null or writable.
unsafe fn write_count(to: *mut usize, count: usize) {
    if !to.is_null() {
        // SAFETY: not null, so the caller vouches for it.
        unsafe { to.write_unaligned(count) };
    }
}

/// Writes the means of all cells; returns how many cells have no element that counts.
///
/// # Safety
///
/// Every element of the layout, with its other part and its truth value, must be readable, and every
/// cell of the result writable.
unsafe fn means<E: Element>(job: &Job) -> usize {
    let Job { level, kept, first, format, .. } = job;
    let source = &Source { skip: job.source.skip.filter(|_| E::MAY_BE_MISSING), ..job.source };
    let put = |offset: isize, step, means: &[u64]| {
        // SAFETY: cells of the result, of this size.
        unsafe { write(job.out.wrapping_offset(offset), step, means, job.out_size) };
    };
    let mut table = None;
    if E::takes_columns(*format) {
        // SAFETY: the caller vouches for the elements of every cell, and their truth values.
        table = unsafe { Table::<E>::new(*level, source, kept, *first, *format) };
    }
    // SAFETY: as above.
    let mut cell = unsafe { Cell::<E>::new(*level, source, kept, *first) };
    if let Some(table) = &mut table {
        let (mut means, mut empty) = (vec![], 0);
        loop {
            let found = table.means(*format, &mut means);
            for &column in &found.empty {
                means[column] = E::nothing(*format);
            }
            empty += found.empty.len();
            table.put_means(&means, put);
            for column in found.open {
                cell.move_to(table.place(column));
                let mean = cell.mean(*format, E::mean_of_tie);
                empty += usize::from(mean.is_none());
                put(cell.place().out, 0, &[mean.unwrap_or_else(|| E::nothing(*format))]);
            }
            if !table.advance() {
                return empty;
            }
        }
    }
    let mut empty = 0;
    loop {
        let mean = cell.mean(*format, E::mean_bits);
        empty += usize::from(mean.is_none());
        put(cell.place().out, 0, &[mean.unwrap_or_else(|| E::nothing(*format))]);
        if !cell.advance() {
            return empty;
        }
    }
}

/// Writes encodings of `size` bytes each, `step` bytes apart.
///
/// # Safety
///
/// These bytes must be writable.
unsafe fn write(out: *mut u8, step: isize, means: &[u64], size: usize) {
    match size {
        // SAFETY: the caller vouches for these bytes; so also below.
        2 => unsafe { write_as(out, step, means, |mean| mean as u16) },
        // SAFETY: as above.
        4 => unsafe { write_as(out, step, means, |mean| mean as u32) },
        // SAFETY: as above.
        _ => unsafe { write_as(out, step, means, |mean| mean) },
    }
}

/// # Safety
///
/// As for [`write`].
unsafe fn write_as<T>(out: *mut u8, step: isize, means: &[u64], narrow: impl Fn(u64) -> T) {
    let write = |step: isize| {
        for (i, &mean) in means.iter().enumerate() {
            let out = out.wrapping_offset(step * i as isize).cast::<T>();
            // SAFETY: the caller vouches for it.
            unsafe { out.write_unaligned(narrow(mean)) };
        }
    };
    // A step that the compiler knows makes vectors of them.
    if step == size_of::<T>() as isize {
        write(size_of::<T>() as isize);
    } else {
        write(step);
    }
}
