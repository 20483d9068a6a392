//! The boundary: the one source of `mean.h`, of the Python bindings and of their errors.
//!
//! To add a status: one variant and one message. To add a dtype: one exported function, written
//! out because cbindgen does not see functions made by a macro. Then `make header`.

use crate::{call, simd};
use safer_ffi::c_char;
use safer_ffi::prelude::{derive_ReprC, ffi_export};
use std::ffi::CStr;

/// Version of the binary interface: what a caller was compiled against.
///
/// Additions (functions, statuses) keep it; it changes only where an existing caller would break.
pub const MEAN_ABI_VERSION: u32 = 1;

/// What a call came to. Every value other than `MEAN_OK` is an error, also one that this header
/// does not list: a newer library may return new ones. Values are never renumbered.
#[derive_ReprC]
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(non_camel_case_types)] // the names are C's
pub enum mean_status {
    /// Success: `*out` holds the result.
    MEAN_OK = 0,
    /// `out` is null, or `data` is null and `len` is not 0.
    MEAN_NULL_POINTER = 1,
    /// `len` is 0: nothing has no mean.
    MEAN_ZERO_LENGTH = 2,
    /// `stride` is not the size of an element, and `len` is more than 1.
    MEAN_NOT_CONTIGUOUS = 3,
    /// `data` or `out` is not aligned to its element type.
    MEAN_MISALIGNED = 4,
    /// `len` elements are more than PTRDIFF_MAX bytes: no array is that large.
    MEAN_TOO_LARGE = 5,
    /// A bug in this library, caught before it could reach the caller. Please report it.
    MEAN_PANIC = 6,
    /// The environment variable MEAN_SIMD names no SIMD level, or one that this CPU has not.
    MEAN_BAD_SIMD_LEVEL = 7,
}

/// What each status means and how to mend it.
pub(crate) const MESSAGES: &[(mean_status, &CStr)] = &[
    (mean_status::MEAN_OK, c"success"),
    (
        mean_status::MEAN_NULL_POINTER,
        c"null pointer: `data` must point to the elements and `out` to room for the result",
    ),
    (
        mean_status::MEAN_ZERO_LENGTH,
        c"zero length: the mean of no elements is undefined; pass at least one",
    ),
    (
        mean_status::MEAN_NOT_CONTIGUOUS,
        c"not contiguous: `stride` must be the element size in bytes; copy the elements side by side first",
    ),
    (
        mean_status::MEAN_MISALIGNED,
        c"misaligned: `data` and `out` must be aligned to their element type; copy to aligned memory first",
    ),
    (
        mean_status::MEAN_TOO_LARGE,
        c"too large: `len` elements are more than PTRDIFF_MAX bytes; `len` counts elements and cannot be negative",
    ),
    (
        mean_status::MEAN_PANIC,
        c"internal error: a bug in this library, not in the call; please report it",
    ),
    (
        mean_status::MEAN_BAD_SIMD_LEVEL,
        c"bad SIMD level: MEAN_SIMD names none that this CPU has; unset it, or set it to one of fallback, sse2, sse4.2, avx2, avx512, neon",
    ),
];

/// The mean of `len` doubles: the exact mean, rounded once (to nearest, ties to even).
///
/// The result depends on the numbers alone: not on their order, nor on the machine. A NaN, or
/// +inf and -inf together, give NaN. Nothing else overflows: the mean of {1e308, 1e308} is 1e308.
///
/// ```c
/// const double x[] = {1e308, 1e308};
/// double mean;
/// mean_status status = mean_f64(x, 2, sizeof *x, &mean);
/// if (status != MEAN_OK) fprintf(stderr, "%s\n", mean_status_message(status));
/// ```
///
/// @param data    the first element
/// @param len     number of elements, at least 1
/// @param stride  bytes from one element to the next, as in NumPy: sizeof(double). Any, if len is 1
/// @param out     receives the mean; left untouched on error
/// @return the first of these that applies; all but MEAN_PANIC are checked before anything is read:
///   - MEAN_BAD_SIMD_LEVEL  MEAN_SIMD is set to what mean_simd_level() does not know
///   - MEAN_NULL_POINTER    out is null
///   - MEAN_ZERO_LENGTH     len is 0 (data may then be null, as an empty std::vector's is)
///   - MEAN_NULL_POINTER    data is null
///   - MEAN_TOO_LARGE       len * sizeof(double) is more than PTRDIFF_MAX
///   - MEAN_NOT_CONTIGUOUS  stride is not sizeof(double), and len is more than 1
///   - MEAN_MISALIGNED      data or out is not aligned for a double
///   - MEAN_PANIC           this library failed (a bug)
///   - MEAN_OK              *out is the mean
///
/// # Safety
///
/// `data` must point to `len` readable doubles that nothing writes during the call, and `out` to a
/// writable double, unless they are null.
#[ffi_export]
pub unsafe extern "C" fn mean_f64(
    data: *const f64,
    len: usize,
    stride: isize,
    out: *mut f64,
) -> mean_status {
    // SAFETY: the caller keeps this function's contract, which is `call::mean`'s.
    unsafe { call::mean(data, len, stride, out) }
}

/// The mean of `len` floats, rounded once to a float. Everything else is as for mean_f64().
///
/// @param data    the first element
/// @param len     number of elements, at least 1
/// @param stride  bytes from one element to the next: sizeof(float). Any, if len is 1
/// @param out     receives the mean; left untouched on error
/// @return as mean_f64()
///
/// # Safety
///
/// As for mean_f64().
#[ffi_export]
pub unsafe extern "C" fn mean_f32(
    data: *const f32,
    len: usize,
    stride: isize,
    out: *mut f32,
) -> mean_status {
    // SAFETY: the caller keeps this function's contract, which is `call::mean`'s.
    unsafe { call::mean(data, len, stride, out) }
}

/// mean_f64() of contiguous doubles by value: the mean, or NaN where mean_f64() would not return
/// MEAN_OK. For foreign-function interfaces, in which an out pointer costs more than a short mean;
/// where NaN comes back, mean_f64() tells which it is.
///
/// @param data  the first element
/// @param len   number of elements, at least 1
/// @return the mean; NaN for a mean that is NaN, and for every error
///
/// # Safety
///
/// As for mean_f64().
#[ffi_export]
pub unsafe extern "C" fn mean_f64_or_nan(data: *const f64, len: usize) -> f64 {
    // SAFETY: the caller keeps this function's contract, which is `call::mean_or_nan`'s.
    unsafe { call::mean_or_nan(data, len) }
}

/// mean_f32() of contiguous floats by value: as mean_f64_or_nan().
///
/// @param data  the first element
/// @param len   number of elements, at least 1
/// @return the mean; NaN for a mean that is NaN, and for every error
///
/// # Safety
///
/// As for mean_f64().
#[ffi_export]
pub unsafe extern "C" fn mean_f32_or_nan(data: *const f32, len: usize) -> f32 {
    // SAFETY: the caller keeps this function's contract, which is `call::mean_or_nan`'s.
    unsafe { call::mean_or_nan(data, len) }
}

/// What a status means and how to mend it, in one line of English.
///
/// @param status  any value, also one that is no status
/// @return a constant string, never null, not to be freed
#[ffi_export]
pub extern "C" fn mean_status_message(status: i32) -> *const c_char {
    call::message(status).as_ptr().cast()
}

/// The MEAN_ABI_VERSION that this library was built with. Compare it with the header's when the
/// library is loaded at run time.
///
/// @return the version
#[ffi_export]
pub extern "C" fn mean_abi_version() -> u32 {
    MEAN_ABI_VERSION
}

/// The SIMD level that runs: "fallback", "sse2", "sse4.2", "avx2", "avx512" or "neon". It decides how
/// fast a result comes, and nothing else.
///
/// The best one that the CPU has, or the one that the environment variable MEAN_SIMD named when this
/// library was first called, if it was set and not empty: for tests and bug reports.
///
/// @return a constant string, not to be freed; null where MEAN_SIMD names no level that this CPU has,
///   and then every mean is MEAN_BAD_SIMD_LEVEL
#[ffi_export]
pub extern "C" fn mean_simd_level() -> *const c_char {
    simd::level().map_or(std::ptr::null(), |(name, _)| name.as_ptr().cast())
}

/// The version of this library, as "major.minor.patch".
///
/// @return a constant string, never null, not to be freed
#[ffi_export]
pub extern "C" fn mean_version() -> *const c_char {
    call::VERSION.as_ptr().cast()
}
