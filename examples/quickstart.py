"""Show what np.mean gives, what compute_mean gives, and the exact mean, for arrays a user meets.

Name files saved by np.save to see it for your own arrays.
"""

import argparse
import math
import sys
import tempfile
from collections import Counter
from decimal import Context, Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np

from mean import compute_mean


def usual_suspects(folder):
    """Yield a label and an array, for each kind of array that a user meets."""
    rng = np.random.default_rng(2026)
    sensor = (1_000_000 + rng.normal(0, 1, 1_000_000)).astype(np.float32)
    yield "float32 sensor data around 1e6", sensor
    yield "a strided view of them, [::3]", sensor[::3]
    yield "Fortran-ordered matrix", np.asfortranarray(rng.normal(0, 1, (300, 200)))
    yield "[1e308] * 10", np.array([1e308] * 10)
    yield "a cancelling sum, [1e16, 1, -1e16]", np.array([1e16, 1.0, -1e16])
    np.save(folder / "saved.npy", rng.lognormal(0, 3, 100_000))
    yield "np.save, then memory-mapped", np.load(folder / "saved.npy", mmap_mode="r")


def exact_mean(array):
    """Return the mean as a Fraction, or None where an element is not finite."""
    if not np.isfinite(array).all():
        return None
    # One fraction for each denominator: integers add faster than fractions.
    numerators = Counter()
    for numerator, denominator in map(float.as_integer_ratio, array.ravel().tolist()):
        numerators[denominator] += numerator
    return sum(Fraction(p, q) for q, p in numerators.items()) / array.size


def ulps(value, exact):
    """Return how far `value` is from the exact mean, in units in the last place at that mean."""
    if not np.isfinite(value):
        return Decimal("inf")
    format_ = np.finfo(value.dtype)
    _, exponent = math.frexp(float(exact) or float(format_.tiny))
    ulp = Fraction(2) ** (max(exponent - 1, int(format_.minexp)) - format_.nmant)
    return decimal(abs(Fraction(float(value)) - exact) / ulp, 3)


def decimal(exact, digits):
    """Return a fraction of any size, rounded to some decimal digits."""
    return Context(prec=digits).divide(Decimal(exact.numerator), Decimal(exact.denominator))


def compare(array):
    """Print the means of one array and their errors."""
    ours = compute_mean(array)
    with np.errstate(over="ignore", invalid="ignore"):
        theirs = np.mean(array)
    exact = exact_mean(array)
    for name, value in [("np.mean", theirs), ("compute_mean", ours)]:
        error = "" if exact is None else f"{ulps(value, exact)} ulp off"
        print(f"  {name:<13} {value!s:<24} {error}")
    if exact is not None:
        print(f"  {'exact':<13} {decimal(exact, 25)}")


def main():
    """Compare the arrays named on the command line, or the usual suspects."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", metavar="FILE.npy", help="an array saved by np.save")
    files = parser.parse_args().files
    try:
        with tempfile.TemporaryDirectory() as folder:
            own = ((file, np.lib.format.open_memmap(file, mode="r")) for file in files)
            for label, array in own if files else usual_suspects(Path(folder)):
                print(f"{label}: {array.dtype}, shape {array.shape}")
                compare(array)
    except (EOFError, OSError, TypeError, ValueError) as error:
        sys.exit(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
