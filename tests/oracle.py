"""The definition of the mean, in rational arithmetic: the loops are Python's, nothing is fast."""

import math
import warnings
from collections import Counter
from fractions import Fraction
from typing import NamedTuple

import numpy as np

try:
    from ml_dtypes import bfloat16
except ImportError:  # no dependency: only its own cases are left out
    bfloat16 = None

EMPTY, OVERFLOW = "Mean of empty slice", "overflow"
NAT = -(2**63)


class Format(NamedTuple):
    """A binary format: its bits of precision, and the least and greatest exponents of a normal."""

    precision: int
    min_exponent: int
    max_exponent: int


FORMATS = {
    np.float16: Format(11, -14, 15),
    np.float32: Format(24, -126, 127),
    np.float64: Format(53, -1022, 1023),
}
# The one NaN there is to return: positive, quiet, payload 0.
NANS = {
    np.float16: np.array(0x7E00, np.uint16).view(np.float16)[()],
    np.float32: np.array(0x7FC00000, np.uint32).view(np.float32)[()],
    np.float64: np.array(0x7FF8000000000000, np.uint64).view(np.float64)[()],
}
if bfloat16:
    FORMATS[bfloat16] = Format(8, -126, 127)
    NANS[bfloat16] = np.array(0x7FC0, np.uint16).view(bfloat16)[()]
PARTS = {np.complex64: np.float32, np.complex128: np.float64}


def round_to(x, precision, min_exponent, max_exponent):
    """Return the number of a format nearest to a Fraction, ties to even; None: it overflows."""
    exponent = max(min_exponent, floor_log2(x)) if x else min_exponent
    last = exponent - precision + 1  # it is a multiple of 2**last
    divisor = x.denominator << max(last, 0)
    whole, rest = divmod(x.numerator << max(-last, 0), divisor)
    whole += 2 * rest > divisor or (2 * rest == divisor and whole % 2)
    if whole.bit_length() + last > max_exponent + 1:
        return None
    return math.ldexp(whole, last)  # which does not round: `whole` fits the precision of a float


def floor_log2(x):
    """Return the greatest k with 2**k <= abs(x), of a Fraction that is not 0."""
    top, bottom = abs(x.numerator), x.denominator
    k = top.bit_length() - bottom.bit_length()
    return k if bottom << max(k, 0) <= top << max(-k, 0) else k - 1


def exact(values):
    """Return the mean of ints and floats: a Fraction, or a float where it is no finite number."""
    special = {value for value in values if not math.isfinite(value)}
    if special:
        return special.pop() if len(special) == 1 else math.nan
    tops = Counter()  # by the denominator, a power of 2
    for top, bottom in (value.as_integer_ratio() for value in values):
        tops[bottom] += top
    unit = max(tops)
    total = sum(top * (unit // bottom) for bottom, top in tops.items())
    return Fraction(total, unit * len(values))


def to_float(mean, kind):
    """Return a mean as a float of a kind, and whether that overflowed."""
    if isinstance(mean, float):
        return (NANS[kind] if math.isnan(mean) else kind(mean)), False
    rounded = round_to(mean, *FORMATS[kind])
    if rounded is None:
        return kind(math.copysign(math.inf, mean)), True
    # What is rounded already, kind() holds as it is.
    return kind(-0.0 if rounded == 0 and mean < 0 else rounded), False


def result_dtype(dtype):
    """Return the dtype of the mean of an array, in native byte order."""
    if dtype.kind in "biu":
        return np.dtype(np.float64)
    if bfloat16 and dtype.type is bfloat16:
        return np.dtype(bfloat16)
    return dtype.newbyteorder("=")


def expected(a, axis=None, dtype=None, keepdims=False, where=True, skipna=False):
    """Return what compute_mean shall return, and the set of what it shall warn of."""
    axes = range(a.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    axes = {k % a.ndim for k in axes}
    kept = result_dtype(a.dtype if dtype is None else np.dtype(dtype))
    mask = np.broadcast_to(where, a.shape)
    shape = tuple(1 if k in axes else a.shape[k] for k in range(a.ndim))
    cells = {cell: [] for cell in np.ndindex(shape)}
    numbers = as_python(a)
    for index in np.ndindex(a.shape):
        x = numbers[index]
        if mask[index] and not (skipna and is_missing(x, a.dtype)):
            cells[tuple(0 if k in axes else index[k] for k in range(a.ndim))].append(x)
    result, warnings = np.empty(shape, kept), set()
    for cell, elements in cells.items():
        result[cell], warning = mean_of(elements, kept, of_complex=a.dtype.kind == "c")
        warnings |= warning
    if not keepdims:
        result = result.reshape([a.shape[k] for k in range(a.ndim) if k not in axes])
    return result[()], warnings


def as_python(a):
    """Return an array of Python's numbers (of times, their ticks), none of which is rounded."""
    if a.dtype.kind in "mM":
        a = a.astype(a.dtype.newbyteorder("=")).view(np.int64)
    elif bfloat16 and a.dtype.type is bfloat16:
        a = a.astype(np.float32)
    with np.errstate(invalid="ignore"):  # of a signalling NaN, in NumPy 2.0
        return a.astype(object)


def is_missing(x, dtype):
    """Whether one of the numbers of a dtype is NaN, in either part, or NaT."""
    return x == NAT if dtype.kind in "mM" else x != x


def mean_of(elements, dtype, of_complex):
    """Return the mean of Python's numbers in a dtype, and the set of what is to be warned of."""
    empty = set() if elements else {EMPTY}
    if dtype.kind in "mM":
        missing = empty or NAT in elements
        mean = NAT if missing else round(Fraction(sum(elements), len(elements)))
        return np.array(mean, np.int64).view(dtype)[()], empty
    if empty:
        nan = NANS[PARTS.get(dtype.type, dtype.type)]
        # The mean of real numbers is real, also where there are none.
        return (join(nan, nan if of_complex else type(nan)(0)) if dtype.kind == "c" else nan), empty
    if dtype.kind == "c":
        parts = [x.real for x in elements], [x.imag for x in elements]
        (real, over), (imag, over_too) = (to_float(exact(p), PARTS[dtype.type]) for p in parts)
        return join(real, imag), ({OVERFLOW} if over or over_too else set())
    mean, over = to_float(exact(elements), dtype.type)
    return mean, ({OVERFLOW} if over else set())


def join(real, imag):
    """Return a complex scalar of two parts, bit by bit."""
    return np.array([real, imag]).view(f"c{2 * real.itemsize}")[0]


def exact_mean(array):
    """Return the mean of all elements of an array, rounded once."""
    return expected(array)[0]


def same(result, expected):
    """Whether two results are of one type, dtype and shape and have the same bits."""
    return (
        type(result) is type(expected)
        and result.dtype == expected.dtype
        and result.dtype.str == expected.dtype.str  # the same byte order
        and result.shape == expected.shape
        and result.tobytes() == expected.tobytes()
    )


def warned(call):
    """Return the result of a call, and which of the expected warnings it gave, in order."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = call()
    messages = []
    for warning in caught:
        assert warning.category is RuntimeWarning
        message = str(warning.message)
        messages.append(next((m for m in (EMPTY, OVERFLOW) if m in message), message))
    return result, messages
