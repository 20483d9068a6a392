"""Layouts, lengths and tables of every kind, against rational arithmetic.

What the library makes of them is the same machine code for every Python: one of them runs these.
"""

import ctypes
import itertools
import math
import mmap
import sys
from fractions import Fraction

import numpy as np
import pytest
from checks import check, every_dtype, every_float, named
from hypothesis import given
from hypothesis import strategies as st
from oracle import NANS, as_python, mean_of, result_dtype, same, to_float
from strategies import (
    DTYPES,
    arrays,
    draw_axes,
    draw_mask,
    draw_out,
    edges,
    fill,
    misaligned,
    shape_of_result,
    swapped,
)

from mean import compute_mean


@pytest.mark.parametrize("axis", [None, 0, 1, 2, (0, 2), (1, 2), ()], ids=str)
@every_dtype
def test_every_dtype_in_runs_of_every_length(dtype, axis):
    rng = np.random.default_rng(1)
    for shape in [(3, 101, 2), (2, 1, 203)]:
        for flavour, rare in [("alike", 0), ("bits", 0), ("bits", 0.01)]:
            a = fill(dtype, shape, flavour, rare, rng)
            check(a, axis=axis)
            check(a, axis=axis, skipna=True, where=rng.random(shape) < 0.8)


class Guarded:
    """Memory between two pages that nothing may touch."""

    def __init__(self, pages=64):
        self.size = pages * mmap.PAGESIZE
        self.map = mmap.mmap(-1, self.size + 2 * mmap.PAGESIZE)
        self.address = ctypes.addressof(ctypes.c_char.from_buffer(self.map))
        for page in (self.address, self.address + mmap.PAGESIZE + self.size):
            if ctypes.CDLL(None).mprotect(ctypes.c_void_p(page), ctypes.c_size_t(1), 0):
                raise OSError("mprotect failed")

    def put(self, a, at_the_end):
        """Return a copy of an array, with its strides, that lies against one of the pages."""
        if a.size == 0:
            return a
        spans = [stride * (n - 1) for stride, n in zip(a.strides, a.shape)]
        low = sum(min(span, 0) for span in spans)
        extent = sum(max(span, 0) for span in spans) + a.itemsize - low
        assert extent <= self.size
        offset = mmap.PAGESIZE + (self.size - extent if at_the_end else 0)
        first = a.__array_interface__["data"][0]
        ctypes.memmove(self.address + offset, first + low, extent)
        return np.ndarray(a.shape, a.dtype, self.map, offset - low, a.strides)


@pytest.mark.skipif(sys.platform == "win32", reason="needs mprotect")
def test_no_byte_beyond_the_arrays_is_touched():
    elements, masks, results = Guarded(), Guarded(), Guarded()

    @given(st.data())
    def crashes_if_one_is(data):
        draw, end = data.draw, data.draw(st.booleans())
        a = elements.put(draw(arrays()), end)
        options = {"axis": draw_axes(draw, a.ndim), "skipna": draw(st.booleans())}
        if draw(st.booleans()):
            options["where"] = masks.put(np.asarray(draw_mask(draw, a)), end)
        out, _ = draw_out(draw, shape_of_result(a, options["axis"], False), result_dtype(a.dtype))
        check(a, results.put(out, end) if draw(st.booleans()) else None, **options)

    crashes_if_one_is()


@pytest.mark.skipif(sys.platform == "win32", reason="needs mprotect")
@every_float
def test_long_lines_of_every_stride(dtype):
    rng = np.random.default_rng(13)
    memory = Guarded(128)
    for n in (1023, 1024, 1055, 9000):
        wanted = fill(dtype, (n,), "alike", 0, rng)
        mean = compute_mean(wanted)
        for step in (2, 3, 4, 5):
            # Nothing but the elements is in the mean, and nothing beyond them is touched.
            spread = np.full((n, step), NANS[dtype.type], dtype)
            packed = np.full(n, 255, [("x", dtype), ("rest", "u1", step)])
            spread[:, 0] = packed["x"] = wanted
            for line in spread[:, 0], spread[::-1, 0], packed["x"]:
                for end in False, True:
                    # (With an axis, for else short ones are copied.)
                    assert same(compute_mean(memory.put(line, end), 0), mean), (n, step, end)


@every_float
def test_long_lines_that_are_not_plain(dtype):
    rng = np.random.default_rng(17)
    table = fill(dtype, (3000, 3), "alike", 0, rng)
    where = rng.random(3000) < 0.5
    nan = NANS[dtype.type]
    line, with_nan = table[:, 0], np.where(where[:, None], table, nan)[:, 0]
    plain = np.ascontiguousarray
    if dtype.kind != "V":
        assert same(compute_mean(table.astype(dtype.newbyteorder())[:, 0], 0), mean_of_line(line))
    assert same(compute_mean(line, where=where), mean_of_line(line[where]))
    assert same(compute_mean(with_nan, skipna=True), mean_of_line(line[where]))
    # Several lines of one mean, and several means of one line each.
    cube = fill(dtype, (3, 1300, 4), "alike", 0, rng)[:, :1200]
    assert same(compute_mean(cube[..., 0], (0, 1)), mean_of_line(plain(cube[..., 0]).ravel()))
    wanted = np.array([mean_of_line(plain(row)) for row in cube[..., 0]])
    assert same(compute_mean(cube[..., 0], axis=1), wanted)
    columns = np.array([mean_of_line(plain(table[:, k])) for k in (0, 2)])
    assert same(compute_mean(table[:, ::2], axis=0), columns)


def mean_of_line(line):
    return mean_of(as_python(line).tolist(), line.dtype, of_complex=False)[0]


def plainly(a, axis, where=None):
    """Return the mean as `expected` does, of arrays that are too large for its loops."""
    n = a.size if axis is None else a.shape[axis]
    where = np.ones(a.shape, bool) if where is None else where
    cells = (a, where) if axis is None else (np.moveaxis(x, axis, -1) for x in (a, where))
    rows, masks = (x.reshape(-1, n) for x in cells)
    dtype = result_dtype(a.dtype)
    means = [
        mean_of(as_python(row[mask]).tolist(), dtype, dtype.kind == "c")[0]
        for row, mask in zip(rows, masks)
    ]
    shape = () if axis is None else [m for k, m in enumerate(a.shape) if k != axis]
    return np.array(means, dtype).reshape(shape)[()]


@every_dtype
def test_the_bits_do_not_depend_on_layout_order_or_chunks(dtype):
    rng = np.random.default_rng(2)
    shape = (401, 257)  # 103,057 elements
    flavour = "bits" if dtype.kind in "biumM" else "edges"
    a = fill(dtype, shape, flavour, 0, rng)
    a = np.where(a == a, a, edges(dtype)[0]) if dtype.kind in "mM" else a
    mask = rng.random(shape) < 0.5
    spread = np.empty((2 * shape[0], 3 * shape[1]), dtype)
    spread[::2, ::3] = a
    deep = np.ascontiguousarray(np.moveaxis(a.reshape(401, 1, 257), 0, -1))
    layouts = {
        "contiguous": a,
        "fortran": np.asfortranarray(a),
        "strided": spread[::2, ::3],
        "backwards": a[::-1, ::-1][::-1, ::-1],
        "swapped": swapped(None, a),
        "misaligned": misaligned(None, a),
        "transposed": np.moveaxis(deep, -1, 0)[:, 0],
    }
    layouts.update({"reversed rows": a[:, ::-1], "shuffled rows": a[:, rng.permutation(257)]})
    for axis in (None, 1):
        means = plainly(a, axis)
        for name, b in layouts.items():
            assert same(compute_mean(b, axis), means), name
    del layouts["reversed rows"], layouts["shuffled rows"]
    for axis in (None, 0):
        means, masked = plainly(a, axis), plainly(a, axis, mask)
        for name, b in layouts.items():
            assert same(compute_mean(b, axis), means), name
            assert same(compute_mean(b, axis, where=mask), masked), name
            assert same(compute_mean(b, axis, where=np.asfortranarray(mask)), masked), name


@every_dtype
def test_columns_of_every_width(dtype):
    rng = np.random.default_rng(12)
    for shape in [(11, 2309), (2000, 3), (130, 40)]:
        for flavour, rare in [("alike", 0.001), ("bits", 0.001)]:
            a = fill(dtype, shape, flavour, rare, rng)
            means = plainly(a, 0)
            assert same(compute_mean(a, 0), means)
            assert same(compute_mean(np.asfortranarray(a), 0), means)
            assert same(compute_mean(np.repeat(a, 2, axis=1)[:, ::-2], 0), means[::-1].copy())


@pytest.mark.parametrize(
    ("shape", "axis"),
    [
        ((100, 10_000), 0),
        ((65, 41_000), 0),
        ((9, 300_000), 0),
        ((5, 70, 8192), 1),
        ((4, 33, 20_500), 1),
        ((2700, 1000), 0),
        ((4800, 1000), 0),
        ((75, 64, 1000), 1),
        ((6000, 1024), 0),
        ((8, 700_000), 0),
    ],
)
@pytest.mark.parametrize("dtype", ["f8", "f4"])
def test_a_large_table_is_its_parts(shape, axis, dtype):
    """Which is read otherwise from 2 or 20 MB on, as the machine may be; parts are not."""
    a = np.random.default_rng(13).standard_normal(shape, dtype)
    means = compute_mean(a, axis)
    width = min(251, 2**21 * shape[-1] // a.nbytes - 1)
    for at in range(0, shape[-1], width):
        part = np.ascontiguousarray(a[..., at : at + width])
        assert part.nbytes < 2 * 2**20
        assert same(compute_mean(part, axis), means[..., at : at + width].copy())
    for index in itertools.product((0, -1), repeat=a.ndim - 1):
        cell = np.moveaxis(a, axis, 0)[(slice(None), *index)]
        assert same(means[index], mean_of_line(cell))


@pytest.mark.parametrize(
    "shape", [(3000, 500), (12_000, 300), (40_000, 33), (1500, 4000), (1000, 1700)]
)
@pytest.mark.parametrize("dtype", ["f8", "f4", "e"])
def test_many_rows_are_each_by_itself(shape, dtype):
    """From 2 or 13 MB on, as the machine may be, the next ones are asked for early.

    From 20 MB on longer ones are, too. From 2 to 20 MB long ones may be read from the last one on.
    """
    a = np.random.default_rng(31).standard_normal(shape).astype(dtype)
    for view in a, a[::-1], a[:, 1:], a[1:, :32], np.broadcast_to(a[:1], shape):
        means = compute_mean(view, axis=-1)
        for at in range(0, shape[0], 301):
            part = view[at : at + 301]
            assert same(compute_mean(part, axis=-1), means[at : at + 301].copy())
        for row in 0, 31, 32, shape[0] - 2:
            assert same(means[row], mean_of_line(view[row]))


@pytest.mark.parametrize("dtype", ["f8", "f4", "e", "i8", "u1", "m8[s]"])
def test_long_rows_are_each_by_itself(dtype):
    """From 20 MB on in all, as the machine may be, each is read as what comes from memory."""
    rng = np.random.default_rng(37)
    some = rng.uniform(0 if dtype == "u1" else -50, 50, 100_003).astype(dtype)
    a = np.resize(some, (22 * 2**20 // (30_001 * some.itemsize), 30_001))
    if dtype == "f8":
        a[3, 7], a[4, 29_000], a[5, 1:4], a[6] = np.nan, 1e300, [1e300, -1e300, np.inf], 5e-324
    for view in a, a[:, 1:], a[:, ::2], a[:, ::-3], a[::2, :9000]:
        means = compute_mean(view, axis=1)
        assert same(means, np.array([compute_mean(row) for row in view]))
    half = rng.random(a.shape) < 0.5
    means = compute_mean(a, axis=1, where=half)
    assert same(means, np.array([compute_mean(row, where=of_it) for row, of_it in zip(a, half)]))
    if a.dtype.kind == "f":
        a[half] = np.nan
        means = compute_mean(a, axis=1, skipna=True)
        assert same(means, np.array([compute_mean(row[~np.isnan(row)]) for row in a]))


@pytest.mark.parametrize("dtype", [*"?bBhHiIqQefd"])
def test_long_arrays_are_exact(dtype):
    """From 2 or 20 MB on what follows is asked for early; 13 or 24 MB of floats are streams."""
    some = np.random.default_rng(29).integers(0, 100, 100_003).astype(dtype)
    for size in 3 * 2**20, 22 * 2**20, 26 * 2**20:
        a = np.resize(some, size // some.itemsize)
        result = result_dtype(a.dtype).type
        for view in a, a[1:], a[::2], a[::-3]:
            mean = Fraction(int(np.sum(view, dtype=np.int64)), view.size)
            assert same(compute_mean(view), to_float(mean, result)[0])
        if some.dtype.kind == "f":
            a[::97] = np.nan
            kept = a[~np.isnan(a)]
            mean = Fraction(int(np.sum(kept, dtype=np.int64)), kept.size)
            assert same(compute_mean(a, skipna=True), to_float(mean, result)[0])


@pytest.mark.parametrize("dtype", ["f8", "f4", "e", "i8", "u1", "c16", "c8", "m8[s]"])
def test_lines_are_the_same_from_the_end(dtype):
    """From 2 to 20 MB, as the machine may be, the last is read first."""
    rng = np.random.default_rng(41)
    # (Rows that are long enough; of complex numbers, few enough for both parts to be summed along.)
    columns = 900 if dtype[0] == "c" else 1700 if np.dtype(dtype).itemsize > 2 else 7000
    some = rng.integers(0, 100, (97, columns)).astype("c16" if dtype[0] == "c" else "i8")
    some += 1j * rng.integers(0, 100, some.shape) if dtype[0] == "c" else 0
    some = some.astype(dtype)
    a = np.tile(some, (-(-(5 * 2**20) // some.nbytes), 1))
    for view in a, a[:, :-1], a[::-1, 100:], a[:, ::-1]:
        half = rng.random(view.shape) < 0.5
        out = np.zeros((view.shape[0], 2), result_dtype(view.dtype))[:, 0]
        assert compute_mean(view, axis=1, out=out) is out
        assert same(out.copy(), np.array([compute_mean(row) for row in view]))
        means = compute_mean(view, axis=1, where=half)
        rows = zip(view, half)
        assert same(means, np.array([compute_mean(row[of_it]) for row, of_it in rows]))
        assert same(compute_mean(view), compute_mean(np.array(view.T).ravel()))
        assert same(compute_mean(view, where=half), compute_mean(view[half]))


@pytest.mark.parametrize("columns", [2, 3, 4])
@pytest.mark.parametrize("dtype", ["f8", "f4", "e", "i8", "u1", "m8[s]"])
def test_few_long_columns_are_each_by_itself(dtype, columns):
    """Which are read in one go where they are one slice of 2 MB and more."""
    rng = np.random.default_rng(43)
    some = rng.uniform(0 if dtype == "u1" else -50, 50, (10_007, columns)).astype(dtype)
    a = np.tile(some, (-(-(3 * 2**20) // some.nbytes), 1))
    if dtype == "f8":
        a[:, 1] *= 1e-200
        a[9_000] = [1e300, -5e-324, np.inf, -0.0][:columns]
    wheres = [True, rng.random(a.shape) < 0.5, rng.random((len(a), 1)) < 0.5]
    for view, where in itertools.product((a, a[1:], a[::2]), wheres):
        where = where if where is True else where[: len(view)]
        if where is not True and view.dtype.kind == "f":
            view = np.where(rng.random(view.shape) < 0.01, np.nan, view)
        options = {"where": where, "skipna": where is not True}
        got = compute_mean(view, axis=0, **options)
        counts = np.broadcast_to(where, view.shape)
        wanted = [
            compute_mean(column[of_it], skipna=options["skipna"])
            for column, of_it in zip(view.T, counts.T)
        ]
        assert same(got, np.array(wanted))
        if dtype in ("f8", "f4") and columns == 2:
            number = view.view("c16" if dtype == "f8" else "c8")[:, 0]
            if where is True:
                got = compute_mean(number)
                assert same(np.array([got.real, got.imag]), np.array(wanted))


@every_dtype
def test_axes_that_enclose_another(dtype):
    # Runs that are copies of columns, side by side or as whole rows, and too few rows for that.
    rng = np.random.default_rng(13)
    for shape in (33, 9, 5), (40, 7, 16), (31, 12, 6), (35, 20, 100), (5, 6, 64, 3), (2, 5, 37, 4):
        a = fill(dtype, shape, "alike", 0.001, rng)
        for axis in (0, -1), (0, -2):
            b = np.moveaxis(a, axis, (0, 1))
            wanted = plainly(b.reshape(-1, *b.shape[2:]), 0)
            assert same(compute_mean(a, axis), wanted), (shape, axis)


def layouts(a):
    """Yield an array of the same elements in memory of each kind."""
    yield from (a, a[..., ::-1].copy()[..., ::-1], a[:, ::-1].copy()[:, ::-1], np.asfortranarray(a))
    yield np.moveaxis(np.moveaxis(a, 0, -1).copy(), -1, 0)
    yield np.repeat(a, 2, axis=-1)[..., ::2]
    yield np.repeat(a, 3, axis=-2)[..., 1::3, :]
    yield np.frombuffer(b"-" + a.tobytes(), np.uint8)[1:].view(a.dtype).reshape(a.shape)
    if a.dtype.kind != "V":
        yield a.byteswap().view(a.dtype.newbyteorder())


SMALL_TABLES = [
    *[(130, 2, 2), (90, 128, 3), (70, 65, 4), (55, 3, 5), (40, 9, 8), (33, 17, 12), (20, 8, 32)],
    *[(300, 3, 2), (12, 64, 31), (9, 2, 128), (3, 5, 7, 6, 4)],
]


@pytest.mark.parametrize("dtype", [d for d in DTYPES if d.kind not in "mM"], ids=named)
def test_small_tables_are_read_side_by_side(dtype):
    """Some hundred columns at once, of as many tables as have them, in any layout."""
    rng = np.random.default_rng(34)
    for shape in SMALL_TABLES:
        whole = rng.integers(0, 2 if dtype.kind == "b" else 100, shape)
        # A division of integers, and one more rounding, which does no harm: see `finish.rs`.
        means = [(axis, whole.mean(axis=axis)) for axis in (-2, 0, (0, -2), (1, -1))]
        for a in layouts(whole.astype(dtype)):
            for axis, wanted in means:
                assert same(compute_mean(a, axis), wanted.astype(result_dtype(dtype)))


@pytest.mark.parametrize("flavour", ["alike", "any"])
@every_float
def test_small_tables_of_any_numbers(dtype, flavour):
    rng = np.random.default_rng(35)
    for shape in SMALL_TABLES[2:6]:
        check(fill(dtype, shape, flavour, 0.02, rng), axis=1)


TABLES = [
    *[((1003, 7), 0), ((67, 40), 0), ((9, 300), 0), ((8, 33), 0), ((2051, 33), 0)],
    *[((40, 100), 1), ((120, 8), 1), ((33, 260), 1), ((130, 2, 8), 1), ((40, 9, 3), 1)],
    *[((7, 65, 12), 1), ((6, 33, 4), (0, 2)), ((5, 40, 6), (0, 1)), ((3, 5, 7, 6, 4), (1, 3))],
    *[((9, 5000), 0), ((40, 1100), 0), ((600, 40, 3), 1)],
]


@pytest.mark.filterwarnings("ignore:Mean of empty slice")
@pytest.mark.parametrize("dtype", [d for d in DTYPES if d.kind not in "mM"], ids=named)
def test_tables_of_which_not_all_elements_count(dtype):
    """In any layout, of the array and of the mask; and one cell has none."""
    rng = np.random.default_rng(36)
    for shape, axis in TABLES:
        whole = rng.integers(0, 2 if dtype.kind == "b" else 100, shape)
        mask = rng.random(shape) < rng.choice([0.1, 0.6, 0.95])
        np.moveaxis(mask, axis, range(np.size(axis)))[..., 0] = False
        sums, counts = (whole * mask).sum(axis), mask.sum(axis)
        # (See above.)
        with np.errstate(invalid="ignore"):
            wanted = (sums / counts).astype(result_dtype(dtype))
        wanted[counts == 0] = complex(math.nan, math.nan) if dtype.kind == "c" else math.nan
        assert np.count_nonzero(counts == 0) > 0
        masks = list(layouts(mask))
        for a in layouts(whole.astype(dtype)):
            for where in masks:
                assert same(compute_mean(a, axis, where=where), wanted), (shape, axis)
        if dtype.kind in "fcV":
            missing = np.where(mask, whole, math.nan).astype(dtype)
            kept = mask | (rng.random(shape) < 0.5)
            for a in layouts(missing):
                assert same(compute_mean(a, axis, skipna=True), wanted), (shape, axis)
                for where in layouts(kept):
                    mean = compute_mean(a, axis, where=where, skipna=True)
                    assert same(mean, wanted), (shape, axis)


@pytest.mark.filterwarnings("ignore:Mean of empty slice")
@pytest.mark.parametrize("dtype", ["f8", "f4", "q"])
def test_a_mask_that_is_repeated(dtype):
    """Of rows, of columns, of cells that count whole or not at all, and of nothing."""
    rng = np.random.default_rng(37)
    for shape, axis in TABLES:
        a = rng.integers(0, 100, shape).astype(dtype)
        for some in itertools.product((False, True), repeat=a.ndim):
            mask = rng.random([n if kept else 1 for n, kept in zip(shape, some)]) < 0.7
            every = np.broadcast_to(mask, shape)
            with np.errstate(invalid="ignore"):
                wanted = np.sum(a * every, axis, dtype="f8") / every.sum(axis)
            wanted[~every.any(axis)] = math.nan
            assert same(compute_mean(a, axis, where=mask), wanted.astype(result_dtype(a.dtype)))


def test_what_is_repeated_is_read_once():
    a = np.arange(24.0).reshape(2, 3, 4)
    many = np.broadcast_to(a[:, None], (2, 10**12, 3, 4))
    mask = np.arange(4) % 2 == 0
    assert same(compute_mean(many, axis=(0, 1)), compute_mean(a, axis=0))
    assert same(compute_mean(many, axis=1), a)
    assert same(compute_mean(many, axis=(1, 3), where=mask), a[:, :, mask].mean(2))
    assert same(compute_mean(many, skipna=True), np.float64(11.5))
    constant = np.broadcast_to(np.float32(0.1), (10**9, 10**9))
    assert same(compute_mean(constant), np.float32(0.1))
    ones = np.broadcast_to(np.int8(1), 2**62)
    assert same(compute_mean(ones), np.float64(1))


@every_float
def test_what_is_missing_among_many_is_skipped_in_any_layout(dtype):
    # In runs that are longer than a buffer: side by side they are copied, else gathered, first.
    rng = np.random.default_rng(12)
    a = rng.random(9001).astype(dtype)
    a[rng.random(a.size) < 0.1] = math.nan
    misaligned = np.frombuffer(b"-" + a.tobytes(), np.uint8)[1:].view(dtype)
    swapped = a.byteswap().view(dtype.newbyteorder()) if dtype.kind == "f" else a
    for b in a, a[1:], a[::-1], a[::2], misaligned, swapped:
        check(b, skipna=True)


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_a_nan_or_an_infinity_in_many_columns(dtype):
    a = np.ones((50, 300), dtype)
    a[7, ::2], a[8, ::3], a[9, ::5] = math.nan, math.inf, -math.inf
    check(a, axis=0)
    check(np.asfortranarray(a), axis=0)
    check(a.reshape(10, 5, 300), axis=(0, 1))
    check(np.ascontiguousarray(a.T), axis=1)
