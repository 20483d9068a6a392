//! One `mean_reduce` call: the checks in their documented order, then cell after cell.

use crate::boundary::{
    mean_array, mean_dtype, mean_status, DTYPES, MEAN_DTYPE_SWAPPED, MEAN_SKIP_NAN,
};
use crate::call::guard;
use crate::cell::Cell;
use crate::gather::Source;
use crate::layout::{Axis, Layout, PerAxis, Place};
use crate::simd;
use crate::table::Table;
use mean_core::{Binary, Element, Float, Level};

/// The most axes of an array.
const MAX_NDIM: usize = 64;

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
pub(crate) struct Job {
    level: Level,
    source: Source,
    /// The axes of the cells, and the first cell.
    kept: PerAxis<Axis>,
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
        let is_reduced = |k: usize| axes >> k & 1 != 0;

        let strides = array.strides(dtype.size * dtype.parts)?;
        let out_strides =
            out.axes_of(axes, array.shape, out.strides(out_dtype.size * out_dtype.parts)?)?;
        let mask_strides = match &mask {
            Some(mask) => mask.broadcast_to(array.shape, mask.strides(1)?)?,
            None => PerAxis::from_elem(0, ndim),
        };
        let cells = (0..ndim).filter(|&k| !is_reduced(k)).map(|k| array.shape[k]);
        if cells.into_iter().any(|len| len == 0) {
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

        let axis = |k: usize| Axis {
            len: array.shape[k],
            data: strides[k],
            mask: mask_strides[k],
            out: out_strides[k],
        };
        let (mut kept, mut reduced) = (PerAxis::new(), PerAxis::new());
        for k in 0..ndim {
            if is_reduced(k) {
                reduced.push(axis(k))
            } else {
                kept.push(axis(k))
            }
        }
        let skip = flags & MEAN_SKIP_NAN != 0;
        let split = dtype.parts == 2 && skip;
        if dtype.parts == 2 && !skip {
            // The parts are one more axis.
            kept.push(Axis {
                len: 2,
                data: dtype.size as isize,
                mask: 0,
                out: out_dtype.size as isize,
            });
        }
        let Layout { first, kept, reduced } = Layout::new(kept, reduced);
        let mut job = Job {
            level: *level,
            source: Source {
                data: array.array.data.cast_const().cast(),
                mask: mask_data,
                axes: reduced,
                swapped,
                skip: skip.then_some(if split { dtype.size as isize } else { 0 }),
            },
            kept,
            first,
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

/// An array whose shape can be read.
struct View<'a> {
    array: mean_array,
    shape: &'a [usize],
    /// None: C order without gaps.
    given: Option<&'a [isize]>,
}

impl View<'_> {
    /// # Safety
    ///
    /// `array` must point to a mean_array, whose shape and strides must point to `ndim` numbers unless
    /// they are null.
    unsafe fn new(array: *const mean_array) -> Result<Self, mean_status> {
        // SAFETY: the caller vouches for it.
        let array = unsafe { array.read_unaligned() };
        let ndim = usize::try_from(array.ndim).ok().filter(|&ndim| ndim <= MAX_NDIM);
        let ndim = ndim.ok_or(mean_status::MEAN_BAD_SHAPE)?;
        if ndim == 0 {
            return Ok(Self { array, shape: &[], given: Some(&[]) });
        }
        if array.shape.is_null() {
            return Err(mean_status::MEAN_NULL_POINTER);
        }
        if !array.shape.is_aligned() || !array.strides.is_aligned() {
            return Err(mean_status::MEAN_MISALIGNED);
        }
        // SAFETY: neither null nor misaligned; the caller vouches for `ndim` numbers.
        let shape = unsafe { std::slice::from_raw_parts(array.shape, ndim) };
        let given = (!array.strides.is_null()).then(|| {
            // SAFETY: as above.
            unsafe { std::slice::from_raw_parts(array.strides, ndim) }
        });
        Ok(Self { array, shape, given })
    }

    /// The strides, if the array lies within PTRDIFF_MAX bytes.
    fn strides(&self, size: usize) -> Result<PerAxis<isize>, mean_status> {
        let size = size as isize;
        let mut strides = match self.given {
            Some(strides) => PerAxis::from_slice(strides),
            None => PerAxis::from_elem(0, self.shape.len()),
        };
        let (mut elements, mut dense, mut extent) = (Some(1_isize), Some(size), Some(size));
        for (&len, stride) in self.shape.iter().zip(&mut strides).rev() {
            let len = isize::try_from(len).ok();
            if self.given.is_none() {
                *stride = dense.unwrap_or(isize::MAX);
                dense = dense.and_then(|stride| stride.checked_mul(len?.max(1)));
            }
            elements = elements.and_then(|n| n.checked_mul(len?));
            extent = extent.and_then(|sum| {
                let last = len?.saturating_sub(1).max(0);
                sum.checked_add(stride.checked_abs()?.checked_mul(last)?)
            });
        }
        if self.shape.contains(&0) || (extent.is_some() && elements.is_some()) {
            Ok(strides)
        } else {
            Err(mean_status::MEAN_BAD_SHAPE)
        }
    }

    /// The strides of a result along the axes of an array; 0 along `axes`, which are reduced.
    fn axes_of(
        &self,
        axes: u64,
        shape: &[usize],
        strides: PerAxis<isize>,
    ) -> Result<PerAxis<isize>, mean_status> {
        let has_all = self.shape.len() == shape.len();
        let mut own = self.shape.iter().zip(strides);
        let mut along = PerAxis::new();
        for (k, &len) in shape.iter().enumerate() {
            let reduced = axes >> k & 1 != 0;
            if reduced && !has_all {
                along.push(0);
                continue;
            }
            match own.next() {
                Some((&own_len, stride)) if own_len == if reduced { 1 } else { len } => {
                    along.push(if reduced { 0 } else { stride });
                }
                _ => return Err(mean_status::MEAN_BAD_SHAPE),
            }
        }
        own.next().is_none().then_some(along).ok_or(mean_status::MEAN_BAD_SHAPE)
    }

    /// The strides along the axes of a larger shape, as NumPy broadcasts.
    fn broadcast_to(
        &self,
        shape: &[usize],
        strides: PerAxis<isize>,
    ) -> Result<PerAxis<isize>, mean_status> {
        let missing =
            shape.len().checked_sub(self.shape.len()).ok_or(mean_status::MEAN_BAD_SHAPE)?;
        let mut along = PerAxis::from_elem(0, missing);
        for ((&len, &own), stride) in shape[missing..].iter().zip(self.shape).zip(strides) {
            match own {
                1 => along.push(0),
                own if own == len => along.push(stride),
                _ => return Err(mean_status::MEAN_BAD_SHAPE),
            }
        }
        Ok(along)
    }
}

/// Writes the means of all cells; returns how many cells have no element that counts.
///
/// # Safety
///
/// Every element of the layout, with its other part and its truth value, must be readable, and every
/// cell of the result writable.
unsafe fn means<E: Element>(job: &Job) -> usize {
    let Job { level, source, kept, first, format, .. } = job;
    let put = |offset: isize, step, means: &[u64]| {
        // SAFETY: cells of the result, of this size.
        unsafe { write(job.out.wrapping_offset(offset), step, means, job.out_size) };
    };
    let table = E::takes_columns(*format).then(|| {
        // SAFETY: the caller vouches for the elements of every cell; so also below.
        unsafe { Table::<E>::new(*level, source, kept, *first, *format) }
    });
    // SAFETY: as above.
    let mut cell = unsafe { Cell::<E>::new(*level, source, kept, *first) };
    if let Some(mut table) = table.flatten() {
        let mut means = vec![];
        loop {
            let (first, step) = (table.place(0).out, table.columns().out);
            let open = table.means(*format, &mut means);
            put(first, step, &means);
            for column in open {
                cell.move_to(table.place(column));
                let mean = cell.mean(*format).unwrap_or_else(|| E::nothing(*format));
                put(cell.place().out, 0, &[mean]);
            }
            if !table.advance() {
                return 0;
            }
        }
    }
    let mut empty = 0;
    loop {
        let mean = cell.mean(*format);
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
