//! One call from C: the checks in their documented order, the slice, the caught panic.

use crate::boundary::{mean_status, MESSAGES};
use crate::simd;
use mean_core::{Element, Float, Format};
use std::ffi::CStr;
use std::panic::{catch_unwind, AssertUnwindSafe};

pub(crate) const VERSION: &CStr =
    match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
        Ok(version) => version,
        Err(_) => panic!("the version holds a NUL byte"),
    };

/// The message of a status, or of a value that is none.
pub(crate) fn message(status: i32) -> &'static CStr {
    MESSAGES
        .iter()
        .find(|(known, _)| *known as i32 == status)
        .map_or(c"unknown status: an error that this library does not define", |(_, text)| text)
}

/// The body of every `mean_<type>`.
///
/// # Safety
///
/// Unless they are null: `data` must be valid for reads of `len` elements that nothing writes
/// during the call, and `out` for a write.
pub(crate) unsafe fn mean<E: Element<Mean: Format>>(
    data: *const E,
    len: usize,
    stride: isize,
    out: *mut E::Mean,
) -> mean_status {
    guard(|| {
        let (_, level) = simd::level().ok_or(mean_status::MEAN_BAD_SIMD_LEVEL)?;
        check(data, len, stride, out)?;
        // SAFETY: `check` found `data` neither null nor misaligned, and `len` elements within
        // isize::MAX bytes; the caller vouches for the memory.
        let elements = unsafe { std::slice::from_raw_parts(data, len) };
        let mean = mean_core::mean(*level, elements).ok_or(mean_status::MEAN_ZERO_LENGTH)?;
        // SAFETY: `check` found `out` neither null nor misaligned; the caller vouches for the memory.
        unsafe { out.write(mean) };
        Ok(())
    })
}

/// The body of every `mean_<type>_or_nan`.
///
/// # Safety
///
/// Unless `data` is null, it must be valid for reads of `len` elements that nothing writes during
/// the call.
pub(crate) unsafe fn mean_or_nan<E: Float>(data: *const E, len: usize) -> E {
    let mut out = E::nan();
    // SAFETY: the caller vouches for `data`, and `out` is a variable of ours; an error leaves it NaN.
    unsafe { mean(data, len, size_of::<E>() as isize, &mut out) };
    out
}

/// Everything that can be said of the arguments without reading memory, in the documented order.
fn check<E, M>(data: *const E, len: usize, stride: isize, out: *mut M) -> Result<(), mean_status> {
    let size = size_of::<E>();
    if out.is_null() {
        return Err(mean_status::MEAN_NULL_POINTER);
    }
    if len == 0 {
        return Err(mean_status::MEAN_ZERO_LENGTH);
    }
    if data.is_null() {
        return Err(mean_status::MEAN_NULL_POINTER);
    }
    if len > isize::MAX as usize / size {
        return Err(mean_status::MEAN_TOO_LARGE);
    }
    if len > 1 && stride != size as isize {
        return Err(mean_status::MEAN_NOT_CONTIGUOUS);
    }
    if !data.is_aligned() || !out.is_aligned() {
        return Err(mean_status::MEAN_MISALIGNED);
    }
    Ok(())
}

/// Runs `body`; a panic becomes a status, so that it never crosses into C.
pub(crate) fn guard(body: impl FnOnce() -> Result<(), mean_status>) -> mean_status {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => mean_status::MEAN_OK,
        Ok(Err(status)) => status,
        Err(payload) => {
            // Dropping a payload may itself panic; a leak in a case that is a bug anyway may not.
            std::mem::forget(payload);
            mean_status::MEAN_PANIC
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_a_status() {
        struct PanicsWhenDropped;
        impl Drop for PanicsWhenDropped {
            fn drop(&mut self) {
                panic!("dropped");
            }
        }
        assert_eq!(guard(|| panic!("a bug")), mean_status::MEAN_PANIC);
        let payload = || std::panic::panic_any(PanicsWhenDropped);
        assert_eq!(guard(payload), mean_status::MEAN_PANIC);
    }

    #[test]
    fn the_guard_passes_statuses_through() {
        assert_eq!(guard(|| Ok(())), mean_status::MEAN_OK);
        let status = mean_status::MEAN_MISALIGNED;
        assert_eq!(guard(|| Err(status)), status);
    }

    #[test]
    fn no_two_messages_are_for_the_same_status() {
        for (status, text) in MESSAGES {
            assert_eq!(message(*status as i32), *text, "{status:?}");
        }
    }
}
