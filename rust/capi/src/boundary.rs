//! The boundary: the one source of `mean.h`, of the Python bindings and of their errors.
//!
//! To add a status: one variant and one message. To add a dtype: one tag, its line in
//! `with_element!`, and one exported function, written out because cbindgen does not see functions
//! made by a macro. Then `make header`.

use crate::reduce::{self, Dtype};
use crate::{call, simd};
use mean_core::{Bool, Time, BF16, F16};
use safer_ffi::c_char;
use safer_ffi::prelude::{derive_ReprC, ffi_export};
use std::ffi::{c_void, CStr};

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
    /// `axes` has a bit for an axis that the array has not.
    MEAN_BAD_AXIS = 8,
    /// A dtype is no mean_dtype, or not one that goes with the others.
    MEAN_BAD_DTYPE = 9,
    /// `ndim` is not 0 to 64, or the shapes do not go together, or an array would be larger than
    /// PTRDIFF_MAX bytes.
    MEAN_BAD_SHAPE = 10,
    /// `flags` has a bit that no flag has.
    MEAN_BAD_FLAGS = 11,
}

/// The type of an array's elements. Values are never renumbered.
#[derive_ReprC]
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(non_camel_case_types)] // the names are C's
pub enum mean_dtype {
    /// A byte: anything but 0 is true, and counts as 1.
    MEAN_DTYPE_BOOL = 1,
    /// int8_t.
    MEAN_DTYPE_I8 = 2,
    /// uint8_t.
    MEAN_DTYPE_U8 = 3,
    /// int16_t.
    MEAN_DTYPE_I16 = 4,
    /// uint16_t.
    MEAN_DTYPE_U16 = 5,
    /// int32_t.
    MEAN_DTYPE_I32 = 6,
    /// uint32_t.
    MEAN_DTYPE_U32 = 7,
    /// int64_t.
    MEAN_DTYPE_I64 = 8,
    /// uint64_t.
    MEAN_DTYPE_U64 = 9,
    /// IEEE 754 binary16.
    MEAN_DTYPE_F16 = 10,
    /// bfloat16: the upper half of a float.
    MEAN_DTYPE_BF16 = 11,
    /// float.
    MEAN_DTYPE_F32 = 12,
    /// double.
    MEAN_DTYPE_F64 = 13,
    /// Two floats: the real and the imaginary part.
    MEAN_DTYPE_C64 = 14,
    /// Two doubles: the real and the imaginary part.
    MEAN_DTYPE_C128 = 15,
    /// A time or a duration, as NumPy's: an int64_t of which INT64_MIN is not a time (NaT).
    MEAN_DTYPE_TIME64 = 16,
}

/// Or-ed to a dtype: the bytes of each number are in the other order than this machine's.
pub const MEAN_DTYPE_SWAPPED: i32 = 0x100;

/// The dtypes: for each tag the element type that does the work. (A complex number is two of its
/// parts.)
pub(crate) const DTYPES: &[Dtype] = &[
    Dtype::real::<Bool>(mean_dtype::MEAN_DTYPE_BOOL),
    Dtype::real::<i8>(mean_dtype::MEAN_DTYPE_I8),
    Dtype::real::<u8>(mean_dtype::MEAN_DTYPE_U8),
    Dtype::real::<i16>(mean_dtype::MEAN_DTYPE_I16),
    Dtype::real::<u16>(mean_dtype::MEAN_DTYPE_U16),
    Dtype::real::<i32>(mean_dtype::MEAN_DTYPE_I32),
    Dtype::real::<u32>(mean_dtype::MEAN_DTYPE_U32),
    Dtype::real::<i64>(mean_dtype::MEAN_DTYPE_I64),
    Dtype::real::<u64>(mean_dtype::MEAN_DTYPE_U64),
    Dtype::float::<F16>(mean_dtype::MEAN_DTYPE_F16),
    Dtype::float::<BF16>(mean_dtype::MEAN_DTYPE_BF16),
    Dtype::float::<f32>(mean_dtype::MEAN_DTYPE_F32),
    Dtype::float::<f64>(mean_dtype::MEAN_DTYPE_F64),
    Dtype::complex::<f32>(mean_dtype::MEAN_DTYPE_C64),
    Dtype::complex::<f64>(mean_dtype::MEAN_DTYPE_C128),
    Dtype::time::<Time>(mean_dtype::MEAN_DTYPE_TIME64),
];

/// An array in memory. Nothing of it is written to but `data` of a result.
#[derive_ReprC]
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(non_camel_case_types)] // the name is C's
pub struct mean_array {
    /// The element with all indices 0. It need not be aligned.
    pub data: *mut c_void,
    /// A mean_dtype, with MEAN_DTYPE_SWAPPED where that applies.
    pub dtype: i32,
    /// Number of axes, 0 to 64.
    pub ndim: i32,
    /// Length of each axis: `ndim` of them; may be null if `ndim` is 0.
    pub shape: *const usize,
    /// Bytes from one element to the next along each axis, of any sign, or 0; null for an array in C
    /// order without gaps.
    pub strides: *const isize,
}

/// For mean_reduce(): NaNs and NaTs do not count.
pub const MEAN_SKIP_NAN: u32 = 1;

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
        c"not contiguous: `stride` must be the element size in bytes; mean_reduce() takes any strides",
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
        c"bad SIMD level: MEAN_SIMD names none that this CPU has; unset it, or set it to one of fallback, sse2, avx2, avx512, neon",
    ),
    (
        mean_status::MEAN_BAD_AXIS,
        c"bad axis: `axes` has a bit for an axis that the array has not; bit k is for axis k, below `ndim`",
    ),
    (
        mean_status::MEAN_BAD_DTYPE,
        c"bad dtype: each must be a mean_dtype; the mean of real numbers is F16, BF16, F32 or F64, of complex ones C64 or C128, of times TIME64; `where` is BOOL",
    ),
    (
        mean_status::MEAN_BAD_SHAPE,
        c"bad shape: `ndim` must be 0 to 64 and the array at most PTRDIFF_MAX bytes; `where` must broadcast to the array, and `out` have its shape without the reduced axes, or with them of length 1",
    ),
    (
        mean_status::MEAN_BAD_FLAGS,
        c"bad flags: a bit is set that no flag has; MEAN_SKIP_NAN is the only one",
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

/// The mean of `len` IEEE 754 binary16 numbers by their encodings, rounded once to a binary16.
///
/// @param data    the first element
/// @param len     number of elements, at least 1
/// @param stride  bytes from one element to the next: sizeof(uint16_t). Any, if len is 1
/// @param out     receives the mean; left untouched on error
/// @return as mean_f64()
///
/// # Safety
///
/// As for mean_f64().
#[ffi_export]
pub unsafe extern "C" fn mean_f16(
    data: *const u16,
    len: usize,
    stride: isize,
    out: *mut u16,
) -> mean_status {
    // SAFETY: the caller keeps this function's contract, which is `call::mean`'s.
    unsafe { call::mean(data.cast::<F16>(), len, stride, out.cast()) }
}

/// The mean of `len` bfloat16 numbers by their encodings, rounded once to a bfloat16.
///
/// @param data    the first element
/// @param len     number of elements, at least 1
/// @param stride  bytes from one element to the next: sizeof(uint16_t). Any, if len is 1
/// @param out     receives the mean; left untouched on error
/// @return as mean_f64()
///
/// # Safety
///
/// As for mean_f64().
#[ffi_export]
pub unsafe extern "C" fn mean_bf16(
    data: *const u16,
    len: usize,
    stride: isize,
    out: *mut u16,
) -> mean_status {
    // SAFETY: the caller keeps this function's contract, which is `call::mean`'s.
    unsafe { call::mean(data.cast::<BF16>(), len, stride, out.cast()) }
}

/// The mean of `len` truth values, rounded once to a double: any byte but 0 is true and counts as 1.
///
/// @param data    the first element
/// @param len     number of elements, at least 1
/// @param stride  bytes from one element to the next: sizeof(uint8_t). Any, if len is 1
/// @param out     receives the mean; left untouched on error
/// @return as mean_f64()
///
/// # Safety
///
/// As for mean_f64().
#[ffi_export]
pub unsafe extern "C" fn mean_bool(
    data: *const u8,
    len: usize,
    stride: isize,
    out: *mut f64,
) -> mean_status {
    // SAFETY: the caller keeps this function's contract, which is `call::mean`'s.
    unsafe { call::mean(data.cast::<Bool>(), len, stride, out) }
}

/// The mean of `len` int8_t, rounded once to a double.
///
/// @param data    the first element
/// @param len     number of elements, at least 1
/// @param stride  bytes from one element to the next: sizeof(int8_t). Any, if len is 1
/// @param out     receives the mean; left untouched on error
/// @return as mean_f64()
///
/// # Safety
///
/// As for mean_f64().
#[ffi_export]
pub unsafe extern "C" fn mean_i8(
    data: *const i8,
    len: usize,
    stride: isize,
    out: *mut f64,
) -> mean_status {
    // SAFETY: the caller keeps this function's contract, which is `call::mean`'s.
    unsafe { call::mean(data, len, stride, out) }
}

/// The mean of `len` uint8_t, rounded once to a double.
///
/// @param data    the first element
/// @param len     number of elements, at least 1
/// @param stride  bytes from one element to the next: sizeof(uint8_t). Any, if len is 1
/// @param out     receives the mean; left untouched on error
/// @return as mean_f64()
///
/// # Safety
///
/// As for mean_f64().
#[ffi_export]
pub unsafe extern "C" fn mean_u8(
    data: *const u8,
    len: usize,
    stride: isize,
    out: *mut f64,
) -> mean_status {
    // SAFETY: the caller keeps this function's contract, which is `call::mean`'s.
    unsafe { call::mean(data, len, stride, out) }
}

/// The mean of `len` int16_t, rounded once to a double.
///
/// @param data    the first element
/// @param len     number of elements, at least 1
/// @param stride  bytes from one element to the next: sizeof(int16_t). Any, if len is 1
/// @param out     receives the mean; left untouched on error
/// @return as mean_f64()
///
/// # Safety
///
/// As for mean_f64().
#[ffi_export]
pub unsafe extern "C" fn mean_i16(
    data: *const i16,
    len: usize,
    stride: isize,
    out: *mut f64,
) -> mean_status {
    // SAFETY: the caller keeps this function's contract, which is `call::mean`'s.
    unsafe { call::mean(data, len, stride, out) }
}

/// The mean of `len` uint16_t, rounded once to a double.
///
/// @param data    the first element
/// @param len     number of elements, at least 1
/// @param stride  bytes from one element to the next: sizeof(uint16_t). Any, if len is 1
/// @param out     receives the mean; left untouched on error
/// @return as mean_f64()
///
/// # Safety
///
/// As for mean_f64().
#[ffi_export]
pub unsafe extern "C" fn mean_u16(
    data: *const u16,
    len: usize,
    stride: isize,
    out: *mut f64,
) -> mean_status {
    // SAFETY: the caller keeps this function's contract, which is `call::mean`'s.
    unsafe { call::mean(data, len, stride, out) }
}

/// The mean of `len` int32_t, rounded once to a double.
///
/// @param data    the first element
/// @param len     number of elements, at least 1
/// @param stride  bytes from one element to the next: sizeof(int32_t). Any, if len is 1
/// @param out     receives the mean; left untouched on error
/// @return as mean_f64()
///
/// # Safety
///
/// As for mean_f64().
#[ffi_export]
pub unsafe extern "C" fn mean_i32(
    data: *const i32,
    len: usize,
    stride: isize,
    out: *mut f64,
) -> mean_status {
    // SAFETY: the caller keeps this function's contract, which is `call::mean`'s.
    unsafe { call::mean(data, len, stride, out) }
}

/// The mean of `len` uint32_t, rounded once to a double.
///
/// @param data    the first element
/// @param len     number of elements, at least 1
/// @param stride  bytes from one element to the next: sizeof(uint32_t). Any, if len is 1
/// @param out     receives the mean; left untouched on error
/// @return as mean_f64()
///
/// # Safety
///
/// As for mean_f64().
#[ffi_export]
pub unsafe extern "C" fn mean_u32(
    data: *const u32,
    len: usize,
    stride: isize,
    out: *mut f64,
) -> mean_status {
    // SAFETY: the caller keeps this function's contract, which is `call::mean`'s.
    unsafe { call::mean(data, len, stride, out) }
}

/// The mean of `len` int64_t, rounded once to a double.
///
/// @param data    the first element
/// @param len     number of elements, at least 1
/// @param stride  bytes from one element to the next: sizeof(int64_t). Any, if len is 1
/// @param out     receives the mean; left untouched on error
/// @return as mean_f64()
///
/// # Safety
///
/// As for mean_f64().
#[ffi_export]
pub unsafe extern "C" fn mean_i64(
    data: *const i64,
    len: usize,
    stride: isize,
    out: *mut f64,
) -> mean_status {
    // SAFETY: the caller keeps this function's contract, which is `call::mean`'s.
    unsafe { call::mean(data, len, stride, out) }
}

/// The mean of `len` uint64_t, rounded once to a double.
///
/// @param data    the first element
/// @param len     number of elements, at least 1
/// @param stride  bytes from one element to the next: sizeof(uint64_t). Any, if len is 1
/// @param out     receives the mean; left untouched on error
/// @return as mean_f64()
///
/// # Safety
///
/// As for mean_f64().
#[ffi_export]
pub unsafe extern "C" fn mean_u64(
    data: *const u64,
    len: usize,
    stride: isize,
    out: *mut f64,
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

/// The means along some axes of an array of any dtype, strides and alignment: each of them exact, and
/// rounded once to the dtype of `out`. Nothing is copied but parts that fit a small buffer.
///
/// The result has a cell for each index of the axes that stay. The dtype of `out` chooses what
/// the means are rounded to: F16, BF16, F32 or F64 for real numbers, C64 or C128 for complex ones,
/// whose parts are averaged separately, and TIME64 for times (to the nearest unit, ties to even).
/// A NaT makes a mean NaT. Where no element counts, the mean is NaN or NaT.
///
/// ```c
/// const float x[2][3] = {{1, 2, 3}, {4, 5, 7}};
/// const size_t rows_columns[] = {2, 3}, rows[] = {2};
/// double means[2];
/// const mean_array array = {(void *)x, MEAN_DTYPE_F32, 2, rows_columns, NULL};
/// const mean_array out = {means, MEAN_DTYPE_F64, 1, rows, NULL};
/// mean_status status = mean_reduce(&array, NULL, 1u << 1, 0, &out, NULL);
/// ```
///
/// @param array        the array
/// @param mask         null, or an array of MEAN_DTYPE_BOOL that broadcasts to the shape of `array` as in
///                     NumPy: elements where it is 0 do not count
/// @param axes         bit k is set if the means are along axis k; 0: each element is its own mean
/// @param flags        0, or MEAN_SKIP_NAN: NaNs and NaTs do not count, nor complex numbers with a
///                     NaN in either part
/// @param out          the result: the axes of `array` that stay, or all of them, with length 1 for those
///                     in `axes`. Any strides. Must not overlap `array` or `mask`
/// @param empty_cells  null, or receives the number of cells in which no element counts
/// @return the first of these that applies (those about ndim, shape and strides array by array: `array`,
///   `out`, `mask`); all but MEAN_PANIC are checked before anything is written:
///   - MEAN_BAD_SIMD_LEVEL  MEAN_SIMD is set to what mean_simd_level() does not know
///   - MEAN_NULL_POINTER    array or out is null
///   - MEAN_BAD_SHAPE       ndim of an array is not 0 to 64
///   - MEAN_NULL_POINTER    shape of an array is null, and its ndim is not 0
///   - MEAN_MISALIGNED      shape or strides of an array is not aligned
///   - MEAN_BAD_FLAGS       flags has an unknown bit
///   - MEAN_BAD_DTYPE       an unknown dtype; out's does not go with the array's, or is swapped; mask's is
///                          not MEAN_DTYPE_BOOL
///   - MEAN_BAD_AXIS        axes has a bit for an axis that the array has not
///   - MEAN_BAD_SHAPE       an array is more than PTRDIFF_MAX bytes or elements; mask does not broadcast to the array; out
///                          has another shape
///   - MEAN_OK              out has no cells: nothing is done
///   - MEAN_ZERO_LENGTH     the array has no elements
///   - MEAN_NULL_POINTER    data of an array is null
///   - MEAN_PANIC           this library failed (a bug)
///   - MEAN_OK              out holds the means
///
/// # Safety
///
/// Unless they are null: `array`, `mask` and `out` must point to a mean_array, whose `shape` and `strides`
/// must point to `ndim` numbers and whose elements must be readable, and for `out` writable, as these
/// say, each array within one allocation; `empty_cells` must point to a writable size_t. Nothing may write to `array` and `mask` during the
/// call.
#[ffi_export]
pub unsafe extern "C" fn mean_reduce(
    array: *const mean_array,
    mask: *const mean_array,
    axes: u64,
    flags: u32,
    out: *const mean_array,
    empty_cells: *mut usize,
) -> mean_status {
    // SAFETY: the caller keeps this function's contract, which is `reduce::reduce`'s.
    unsafe { reduce::reduce(array, mask, axes, flags, out, empty_cells) }
}

/// The arguments of mean_reduce(), kept together in their order.
#[derive_ReprC]
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(non_camel_case_types)] // the name is C's
pub struct mean_reduction {
    /// The array.
    pub array: *const mean_array,
    /// Null, or which elements count.
    pub mask: *const mean_array,
    /// The axes, bit by bit.
    pub axes: u64,
    /// 0, or MEAN_SKIP_NAN.
    pub flags: u32,
    /// The result.
    pub out: *const mean_array,
    /// Null, or receives the number of cells in which no element counts.
    pub empty_cells: *mut usize,
}

/// mean_reduce() with arguments that are kept. For foreign-function interfaces, in which each argument is
/// a conversion.
///
/// @param reduction  the arguments of mean_reduce()
/// @return MEAN_NULL_POINTER if reduction is null; else as mean_reduce()
///
/// # Safety
///
/// Unless it is null, `reduction` must point to a mean_reduction; and as for mean_reduce().
#[ffi_export]
pub unsafe extern "C" fn mean_run(reduction: *const mean_reduction) -> mean_status {
    if reduction.is_null() {
        return mean_status::MEAN_NULL_POINTER;
    }
    // SAFETY: not null, so the caller vouches for it.
    let mean_reduction { array, mask, axes, flags, out, empty_cells } =
        unsafe { reduction.read_unaligned() };
    // SAFETY: the caller keeps this function's contract, which is `reduce::reduce`'s.
    unsafe { reduce::reduce(array, mask, axes, flags, out, empty_cells) }
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

/// The SIMD level that runs: "fallback", "sse2", "avx2", "avx512" or "neon". It decides how
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
