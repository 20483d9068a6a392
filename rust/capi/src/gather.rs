//! Elements of any layout, copied side by side.
//!
//! Only elements are read: never a slice over a view's extent, which would assert bytes between them
//! that no caller has promised. (Across gaps of less than a vector the compiler may load and discard,
//! where it knows that there is another element beyond.)

use crate::layout::{Axis, Place};
use mean_core::Element;

/// Where the elements are.
#[derive(Clone, Copy)]
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
    /// Whether all elements count.
    pub fn all_count(&self) -> bool {
        self.skip.is_none() && self.mask.is_none()
    }

    /// Whether they also are what they are in memory.
    pub fn is_plain(&self) -> bool {
        !self.swapped && self.all_count()
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

/// The same of so few elements that to call what copies memory would take longer.
///
/// # Safety
///
/// That of `gather`.
#[inline(always)]
pub(crate) unsafe fn gather_few<E: Element>(packed: &mut [E], data: *const u8, stride: isize) {
    if stride != size_of::<E>() as isize {
        // SAFETY: that of the caller; so also below.
        return unsafe { gather_every(packed, data, stride) };
    }
    match packed.len() {
        // SAFETY: as above.
        8.. => unsafe { copy_in_arrays::<E, 8>(packed, data) },
        // SAFETY: as above.
        4.. => unsafe { copy_in_arrays::<E, 4>(packed, data) },
        // SAFETY: as above.
        _ => unsafe { gather_every(packed, data, stride) },
    }
}

/// Copies elements that lie side by side, at least an array of them: the last N in an array that may overlap others.
///
/// # Safety
///
/// There must be as many elements, of any alignment.
#[inline(always)]
unsafe fn copy_in_arrays<E: Copy, const N: usize>(packed: &mut [E], data: *const u8) {
    // SAFETY: the caller vouches for these elements; so also below.
    unsafe { copy_arrays(packed.as_chunks_mut::<N>().0, data, size_of::<[E; N]>() as isize) };
    let Some(before) = packed.len().checked_sub(N) else { return };
    if let Some(last) = packed.last_chunk_mut::<N>() {
        // SAFETY: as above.
        *last = unsafe { data.cast::<E>().wrapping_add(before).cast::<[E; N]>().read_unaligned() };
    }
}

/// Copies runs of `len` elements (not 0; of the last perhaps only some), of which the first are `apart` bytes
/// apart, side by side.
///
/// # Safety
///
/// There must be these elements, of any alignment.
pub(crate) unsafe fn gather_runs<E: Element>(
    packed: &mut [E],
    len: usize,
    data: *const u8,
    apart: isize,
    stride: isize,
) {
    if stride == 0 && len == 2 {
        // (The mask of complex numbers, whose mean this spares a fifth of its time.)
        for (i, run) in packed.chunks_mut(2).enumerate() {
            // SAFETY: the caller vouches for it.
            run.fill(unsafe {
                data.wrapping_offset(apart * i as isize).cast::<E>().read_unaligned()
            });
        }
        return;
    }
    let known = if stride == size_of::<E>() as isize { len } else { 0 };
    let mut done = packed.len() - packed.len() % len;
    let runs = &mut packed[..done];
    // (Of a length that the compiler knows a run is a load and a store or two.)
    match known {
        // SAFETY: the caller vouches for these runs; so also below.
        2 => unsafe { copy_arrays(runs.as_chunks_mut::<2>().0, data, apart) },
        // SAFETY: as above.
        3 => unsafe { copy_arrays(runs.as_chunks_mut::<3>().0, data, apart) },
        // SAFETY: as above.
        4 => unsafe { copy_arrays(runs.as_chunks_mut::<4>().0, data, apart) },
        // SAFETY: as above.
        8 => unsafe { copy_arrays(runs.as_chunks_mut::<8>().0, data, apart) },
        _ => done = 0,
    }
    let data = data.wrapping_offset(apart * (done / len) as isize);
    for (i, run) in packed[done..].chunks_mut(len).enumerate() {
        // SAFETY: the caller vouches for them.
        unsafe { gather_few(run, data.wrapping_offset(apart * i as isize), stride) };
    }
}

/// # Safety
///
/// There must be as many arrays, of any alignment, `apart` bytes apart.
#[inline(always)]
unsafe fn copy_arrays<E: Copy, const N: usize>(
    packed: &mut [[E; N]],
    data: *const u8,
    apart: isize,
) {
    for (i, array) in packed.iter_mut().enumerate() {
        let data = data.wrapping_offset(apart * i as isize);
        // SAFETY: the caller vouches for it.
        *array = unsafe { data.cast::<[E; N]>().read_unaligned() };
    }
}
