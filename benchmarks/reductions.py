"""Axes, strides, masks and dtypes: compute_mean beside NumPy and bottleneck."""

import itertools
from functools import partial
from time import process_time
from timeit import Timer

import bottleneck
import numpy as np
from bench import READ, TIMES, US, Figure, after_a_pass, medians, with_read_limit

from mean import compute_mean

SHAPES = [(1000, 1000), (10000, 100), (100, 10000), (10000, 1000), (100000, 8), (8, 100000)]
SKIPPING = partial(compute_mean, skipna=True)
IN_CACHE = 10**6  # elements: beyond, from DRAM
INTEGERS = ["bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]


def compare(
    regime, a, against, reach, aim, rounds, peer=np.mean, ours=compute_mean, memory=None, **how
):
    """Return how many times as fast as a peer a mean is, and a plain read of `memory`."""
    timers = {US: clock_with(ours, a, how), against: clock_with(peer, a, how)}
    if memory is None:
        found, read = medians(timers, rounds), None
    else:
        timers = {name: after_a_pass(timer, memory) for name, timer in timers.items()}
        found = with_read_limit(timers, memory, rounds)
        read = found[against] / found[READ]
    faster = found[against] / found[US]
    return Figure(regime, a.dtype.name, str(a.shape), against, reach, aim, faster, TIMES, read)


def clock_with(function, a, how):
    """Return the timer of a call as it is written, with keywords: `function(a, axis=axis)`."""
    call = f"function(a, {', '.join(f'{name}={name}' for name in how)})"
    return Timer(call, timer=process_time, globals={"function": function, "a": a, **how}).timeit


def axes(rounds):
    """Yield the figures along one axis of two, and along one or two of four."""
    rng = np.random.default_rng(0)
    for dtype, wide in ("float64", 0.85), ("float32", 0.65):
        for shape in SHAPES:
            a = rng.random(shape, dtype)
            reach = 1 if a.size <= IN_CACHE else 0.95
            yield compare("axis 1", a, "numpy", reach, 1.5, rounds, memory=a, axis=1)
        for shape in SHAPES:
            a = rng.random(shape, dtype)
            reach, aim = (1.3, 2) if shape[1] < 1000 else (wide, 1)
            yield compare("axis 0", a, "numpy", reach, aim, rounds, memory=a, axis=0)
    a = rng.random((64, 64, 64, 16))
    for count in 1, 2:
        for some in itertools.combinations(range(4), count):
            yield compare(f"axis {some}", a, "numpy", 1, 1.5, rounds, memory=a, axis=some)


def tables(rounds):
    """Yield the figures of tables in the second cache, of mostly zeros, and of many small ones."""
    rng = np.random.default_rng(0)
    for dtype, reach in ("float64", 0.85), ("float32", 0.65):
        a = rng.random((100, 1000), dtype)
        yield compare("axis 0", a, "numpy", reach, 1, rounds, memory=a, axis=0)
    a = rng.random((24, 10000))
    a[rng.random(a.shape) < 0.7] = 0
    yield compare("axis 0, mostly zeros", a, "numpy", 0.65, 1, rounds, memory=a, axis=0)
    for shape in (16384, 2, 2), (4096, 4, 3), (2048, 4, 8), (512, 8, 16):
        a = rng.random(shape)
        yield compare("axis 1", a, "numpy", 2, 4, rounds, memory=a, axis=1)


def strides(rounds):
    """Yield the figures of views, in the second and the third cache and from DRAM."""
    rng = np.random.default_rng(0)
    for size, reach, aim in (10**5, 1.1, 1.5), (10**6, 1.1, 1.5), (2 * 10**7, 0.95, 1.2):
        a = rng.random(size)
        table, cube = a.reshape(-1, 1000), a.reshape(-1, 100, 100)
        views = {
            "a[::2]": a[::2],
            "a[::3]": a[::3],
            "a[::4]": a[::4],
            "a[::-1]": a[::-1],
            "a[:, ::4]": table[:, ::4],
            "a.T": table.T,
            "Fortran order": np.asfortranarray(table),
            "a.transpose(1, 2, 0)": cube.transpose(1, 2, 0),
        }
        for name, view in views.items():
            memory = view.T if name == "Fortran order" else a
            yield compare(name, view, "numpy", reach, aim, rounds, memory=memory)
            if size == IN_CACHE and name.startswith("a["):
                # (Without a pass: each but the first of some finds what the one before left.)
                yield compare(f"{name}, again and again", view, "numpy", 1, 1.1, rounds)


def dtypes(rounds):
    """Yield the figures of integers and float16."""
    rng = np.random.default_rng(0)
    for name in INTEGERS:
        a = rng.integers(0, 2 if name == "bool" else 100, 10**6).astype(name)
        reach = 5 if name == "int64" else 8
        yield compare("integers", a, "numpy", reach, reach, rounds, memory=a)
    a = rng.random(10**6).astype(np.float16)
    yield compare("float16", a, "numpy", 10, 20, rounds, memory=a)


def few_columns(rounds):
    """Yield the figures of what takes turns in a slice: complex numbers, and a few columns."""
    rng = np.random.default_rng(0)
    for part, number, reach in ("float32", "complex64", 1), ("float64", "complex128", 0.9):
        parts = rng.random(2 * 10**6, part)
        yield compare("complex", parts.view(number), "numpy", reach, 1.2, rounds, memory=parts)
    for columns in 2, 3, 4:
        a = rng.random((10**6, columns))
        yield compare("axis 0", a, "numpy", 1.5, 3, rounds, memory=a, axis=0)


def skips(rounds):
    """Yield the figures of NaNs that do not count, and of masks."""
    rng = np.random.default_rng(0)
    for dtype in "float32", "float64":
        a = rng.random(10**6, dtype)
        half = rng.random(10**6) < 0.5
        yield compare("where half is true", a, "numpy", 10, 20, rounds, memory=a, where=half)
        a[rng.random(10**6) < 0.01] = np.nan
        for against, peer, reach, aim in (
            ("bottleneck", bottleneck.nanmean, 2.5, 4),
            ("np.nanmean", np.nanmean, 5, 8),
        ):
            yield compare(
                "skipna, 1 % NaN", a, against, reach, aim, rounds, peer, SKIPPING, memory=a
            )
    ways = ((1000, 1000), 0), ((10000, 100), 1), ((100000, 8), 1)
    for dtype, (shape, axis) in itertools.product(("float32", "float64"), ways):
        a = rng.random(shape, dtype)
        along = {"memory": a, "axis": axis}
        half = rng.random(shape) < 0.5
        yield compare(f"where, axis {axis}", a, "numpy", 5, 10, rounds, where=half, **along)
        a[rng.random(shape) < 0.01] = np.nan
        yield compare(
            f"skipna, axis {axis}",
            *(a, "bottleneck", 1, 2, rounds, bottleneck.nanmean, SKIPPING),
            **along,
        )


def from_memory(rounds):
    """Yield the figures of long rows, integers, NaNs to skip and masks from DRAM."""
    rng = np.random.default_rng(0)
    for dtype, columns in itertools.product(("float32", "float64"), (3000, 10000)):
        a = rng.random((2 * 10**7 // columns, columns), dtype)
        yield compare("axis 1", a, "numpy", 0.95, 1.5, rounds, memory=a, axis=1)
    half = rng.random(2 * 10**7) < 0.5
    a = a.ravel()
    yield compare("where half is true", a, "numpy", 5, 10, rounds, memory=a, where=half)
    a[rng.random(a.size) < 0.01] = np.nan
    yield compare(
        "skipna, 1 % NaN", a, "bottleneck", 1.5, 2.5, rounds, bottleneck.nanmean, SKIPPING, memory=a
    )
    a = rng.integers(0, 100, 2 * 10**7)
    yield compare("integers", a, "numpy", 2, 3, rounds, memory=a)


def small(rounds):
    """Yield the figures of small arrays: axes, another result, a mask, a NaN to skip, a view."""
    a = np.random.default_rng(0).random((3, 4))
    half = a < 0.5
    for axis in 0, 1:
        yield compare(f"axis {axis}", a, "numpy", 2, 4, rounds, axis=axis)
    yield compare("axes (0, 1)", a, "numpy", 1, 2, rounds, axis=(0, 1))
    yield compare("dtype float32", a, "numpy", 1, 2, rounds, axis=0, dtype=np.float32)
    yield compare("out", a, "numpy", 1, 2, rounds, axis=0, out=np.empty(4))
    yield compare("where", a, "numpy", 2, 4, rounds, where=half)
    a[1, 2] = np.nan
    yield compare("skipna", a, "np.nanmean", 2, 4, rounds, np.nanmean, SKIPPING)
    view = np.random.default_rng(0).random(4000)[::2]
    yield compare("a[::2]", view, "numpy", 1.1, 1.5, rounds)


def figures(rounds):
    """Yield all of them."""
    for part in axes, tables, few_columns, strides, dtypes, skips, from_memory, small:
        yield from part(rounds)
