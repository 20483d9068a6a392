//! Elements of any layout, copied side by side.
//!
//! Only elements are read: never a slice over a view's extent, which would assert bytes between them
//! that no caller has promised. (Across gaps of less than a vector the compiler may load and discard,
//! where it knows that there is another element beyond.)

use crate::layout::{Axis, Place};
use mean_core::Element;

/// Where the elements are.
pub(crate) struct Source<'a> {
    pub data: *const u8,
    /// A truth value for each element; where it is 0, the element does not count.
    pub mask: Option<*const u8>,
    /// The axes of the elements within a cell.
    pub axes: &'a [Axis],
    /// Whether their bytes are in the other order.
    pub swapped: bool,
    /// Where NaNs do not count: the distance to the other part of a complex number, which must not
    /// be one either; 0 for a real one.
    pub skip: Option<isize>,
}

impl Source<'_> {
    /// Whether all elements count, and are what they are in memory.
    pub fn is_plain(&self) -> bool {
        !self.swapped && self.skip.is_none() && self.mask.is_none()
    }

    /// Whether the element at `first` is aligned, and so are all others along `axes`.
    pub fn is_aligned<'b, E>(
        &self,
        first: Place,
        mut axes: impl Iterator<Item = &'b Axis>,
    ) -> bool {
        self.data.wrapping_offset(first.data).cast::<E>().is_aligned()
            && axes.all(|axis| axis.data % align_of::<E>() as isize == 0)
    }
}

/// Copies elements that are `stride` bytes apart. The loops for the usual strides are vectors.
///
/// # Safety
///
/// There must be as many elements, of any alignment, in one allocation.
#[inline(always)]
pub(crate) unsafe fn gather<E: Element>(
    packed: &mut [E],
    data: *const u8,
    stride: isize,
    swapped: bool,
) {
    let size = size_of::<E>() as isize;
    if stride == size {
        // SAFETY: the caller vouches for these elements; so also below.
        unsafe { gather_every(packed, data, size) };
    } else if stride == 2 * size {
        // SAFETY: as above.
        unsafe { gather_every(packed, data, 2 * size) };
    } else if stride == 3 * size {
        // SAFETY: as above.
        unsafe { gather_every(packed, data, 3 * size) };
    } else if stride == 4 * size {
        // SAFETY: as above.
        unsafe { gather_every(packed, data, 4 * size) };
    } else {
        // SAFETY: as above.
        unsafe { gather_every(packed, data, stride) };
    }
    if swapped {
        for x in packed {
            *x = x.swap_bytes();
        }
    }
}

/// # Safety
///
/// That of `gather`.
#[inline(always)]
pub(crate) unsafe fn gather_every<E: Element>(packed: &mut [E], data: *const u8, stride: isize) {
    for (i, x) in packed.iter_mut().enumerate() {
        // SAFETY: the caller vouches for it, and so the distance is within one allocation.
        let element = unsafe { data.offset(stride * i as isize) };
        // SAFETY: as above.
        *x = unsafe { element.cast::<E>().read_unaligned() };
    }
}
