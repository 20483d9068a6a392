"""The definition of the mean, in rational arithmetic."""

import sys
from fractions import Fraction

import numpy as np


def exact_mean(array):
    """Return RN(mean) of a float array: the nearest number of its dtype, ties to even."""
    kind = array.dtype.type
    values = array.ravel().tolist()  # as Python floats, which hold float32 exactly
    if any(np.isnan(values)) or (np.inf in values and -np.inf in values):
        return kind(np.nan)
    if np.inf in values:
        return kind(np.inf)
    if -np.inf in values:
        return kind(-np.inf)
    mean = sum(map(Fraction, values)) / len(values)
    if mean == 0:
        return kind(0)
    # float(mean) rounds once and may be off by one in float32: look at the neighbours too.
    guess = kind(float(mean))
    candidates = [guess, np.nextafter(guess, kind(np.inf)), np.nextafter(guess, kind(-np.inf))]
    finite = [c for c in candidates if np.isfinite(c)]
    nearest = min(finite, key=lambda c: (abs(Fraction(float(c)) - mean), is_odd(c)))
    return np.copysign(nearest, kind(-1 if mean < 0 else 1))


def is_odd(x):
    """Whether the last bit of a float's significand is set."""
    return int.from_bytes(x.tobytes(), sys.byteorder) & 1


def same(result, expected):
    """Whether two scalars are of one type and have the same bits: NaNs and zeros included."""
    return type(result) is type(expected) and result.tobytes() == expected.tobytes()
