//! Arrays as the caller describes them, and how the axes of several go together.

use crate::boundary::{mean_array, mean_status};
use crate::layout::{Axis, Layout};

/// The most axes of an array.
pub(crate) const MAX_NDIM: usize = 64;

/// An array whose shape can be read.
pub(crate) struct View<'a> {
    pub array: mean_array,
    pub shape: &'a [usize],
    /// None: C order without gaps.
    given: Option<&'a [isize]>,
}

impl View<'_> {
    /// # Safety
    ///
    /// `array` must point to a mean_array, whose shape and strides must point to `ndim` numbers unless
    /// they are null.
    pub unsafe fn new(array: *const mean_array) -> Result<Self, mean_status> {
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

    /// Fails where the array, of elements of `size` bytes, does not lie within PTRDIFF_MAX bytes.
    fn fits_in_memory(&self, size: isize) -> Result<(), mean_status> {
        if self.shape.contains(&0) {
            return Ok(());
        }
        // (Without gaps: of all bytes, so that no stride has wrapped.)
        let mut elements = Some(if self.given.is_none() { size } else { 1 });
        let mut extent = Some(size);
        for (len, stride) in self.axes_backwards(size) {
            let len = isize::try_from(len).ok();
            elements = elements.and_then(|n| n.checked_mul(len?));
            extent = extent
                .and_then(|sum| sum.checked_add(stride.checked_abs()?.checked_mul(len? - 1)?));
        }
        elements.and(extent).map(|_| ()).ok_or(mean_status::MEAN_BAD_SHAPE)
    }

    /// The lengths of the axes and their strides, from the last to the first. (They may have wrapped where
    /// the array does not fit in memory, or has no elements.)
    fn axes_backwards(&self, size: isize) -> impl Iterator<Item = (usize, isize)> + '_ {
        let mut dense = size;
        self.shape.iter().enumerate().rev().map(move |(k, &len)| {
            let stride = self.given.map_or(dense, |strides| strides[k]);
            dense = dense.wrapping_mul(len as isize);
            (len, stride)
        })
    }

    /// Adds the axes to a layout, each with its strides in the mask, which broadcasts to this array, and
    /// in the result, which has the axes that `axes` does not reduce, or those too, with length 1. Fails
    /// where shapes do not go together; false if there is no cell. `sizes`: of an element of this array
    /// and of `out`, in bytes.
    pub fn lay_out(
        &self,
        mask: Option<&Self>,
        out: &Self,
        sizes: [usize; 2],
        axes: u64,
        layout: &mut Layout,
    ) -> Result<bool, mean_status> {
        let [size, out_size] = sizes.map(|size| size as isize);
        let ndim = self.shape.len();
        let out_has_all = out.shape.len() == ndim;
        let fits = out_has_all || out.shape.len() + axes.count_ones() as usize == ndim;
        if !fits || mask.is_some_and(|mask| mask.shape.len() > ndim) {
            return Err(mean_status::MEAN_BAD_SHAPE);
        }
        self.fits_in_memory(size)?;
        out.fits_in_memory(out_size)?;
        mask.map_or(Ok(()), |mask| mask.fits_in_memory(1))?;
        let mut along_out = out.axes_backwards(out_size);
        let mut along_mask = mask.map(|mask| mask.axes_backwards(1));
        let mut has_cells = true;
        for (k, (len, data)) in (0..ndim).rev().zip(self.axes_backwards(size)) {
            let reduced = axes >> k & 1 != 0;
            let mut axis = Axis { len, data, mask: 0, out: 0 };
            match along_mask.as_mut().and_then(Iterator::next) {
                None | Some((1, _)) => {}
                Some((own, stride)) if own == len => axis.mask = stride,
                _ => return Err(mean_status::MEAN_BAD_SHAPE),
            }
            if out_has_all || !reduced {
                match along_out.next() {
                    Some((1, _)) if reduced => {}
                    Some((own, stride)) if own == len && !reduced => axis.out = stride,
                    _ => return Err(mean_status::MEAN_BAD_SHAPE),
                }
            }
            has_cells &= reduced || len != 0;
            let axes = if reduced { &mut layout.reduced } else { &mut layout.kept };
            axes.push(axis);
        }
        // As they were: where strides are equal, only neighbours can become one axis.
        layout.reduced.reverse();
        layout.kept.reverse();
        Ok(has_cells)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::boundary::mean_dtype;
    use crate::layout::Place;

    #[test]
    fn axes_of_equal_strides_become_one() {
        let (shape, strides, out_shape) = ([2, 5, 3], [0, 0, 8], [2, 5]);
        let array = |shape: &[usize], strides: *const isize| mean_array {
            data: std::ptr::null_mut(),
            dtype: mean_dtype::MEAN_DTYPE_F64 as i32,
            ndim: shape.len() as i32,
            shape: shape.as_ptr(),
            strides,
        };
        // SAFETY: as many numbers as axes.
        let repeated = unsafe { View::new(&array(&shape, strides.as_ptr())) }.unwrap();
        // SAFETY: as above.
        let out = unsafe { View::new(&array(&out_shape, std::ptr::null())) }.unwrap();
        let mut layout = Layout::default();
        assert_eq!(repeated.lay_out(None, &out, [8, 8], 4, &mut layout), Ok(true));
        layout.sort();
        assert_eq!(layout.kept.as_slice(), [Axis { len: 10, data: 0, mask: 0, out: 8 }]);
        assert_eq!(layout.reduced.as_slice(), [Axis { len: 3, data: 8, mask: 0, out: 0 }]);
        assert_eq!(layout.first, Place::default());
    }
}
