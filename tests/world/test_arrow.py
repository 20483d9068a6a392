"""Arrays of pyarrow and series of polars: without a copy where they have no nulls."""

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle import EMPTY, expected, same, warned

from mean import MeanError, compute_mean
from mean._input import as_input

BIG = 2**60 + 1
NUMBERS = [
    "int8",
    "uint8",
    "int16",
    "uint16",
    "int32",
    "uint32",
    "int64",
    "uint64",
    "float32",
    "float64",
]
TIMES = ["datetime64[ms]", "datetime64[us]", "datetime64[ns]", "timedelta64[us]"]


def in_pyarrow(array, valid=None):
    return pa.array(array, mask=None if valid is None else ~valid)


def in_chunks(array, valid=None):
    whole = in_pyarrow(array, valid)
    return pa.chunked_array([whole.slice(0, 1), whole.slice(1)])


def in_polars(array, valid=None):
    series = pl.Series(array)
    if valid is None:
        return series
    frame = pl.DataFrame({"x": series, "valid": valid})
    return frame.select(pl.when("valid").then("x"))["x"]


LIBRARIES = pytest.mark.parametrize(
    "library", [in_pyarrow, in_chunks, in_polars], ids=["pyarrow", "pyarrow chunks", "polars"]
)


@pytest.mark.parametrize("dtype", [*NUMBERS, *TIMES])
@pytest.mark.parametrize("library", [in_pyarrow, in_polars], ids=["pyarrow", "polars"])
def test_without_nulls_nothing_is_copied(library, dtype):
    array = np.arange(1, 8).astype(dtype)
    given_ = library(array)
    taken = as_input(given_).array
    assert taken.dtype == array.dtype
    address = (
        given_.buffers()[1].address
        if library is in_pyarrow
        else given_.to_numpy(allow_copy=False).__array_interface__["data"][0]
    )
    assert taken.__array_interface__["data"][0] == address
    assert same(compute_mean(given_), compute_mean(array))
    assert same(compute_mean(given_[2:5]), compute_mean(array[2:5]))  # offsets
    if library is in_pyarrow:
        one_chunk = as_input(pa.chunked_array([given_])).array
        assert one_chunk.__array_interface__["data"][0] == address


@LIBRARIES
@given(data=st.data())
def test_nulls_are_left_out_exactly(library, data):
    draw = data.draw
    dtype = np.dtype(draw(st.sampled_from([*NUMBERS, *TIMES, "bool"])))
    n = draw(st.integers(2, 40))
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    if dtype.kind == "b":
        array = rng.random(n) < 0.5
    elif dtype.kind == "f":
        array = (rng.standard_normal(n) * 2.0 ** rng.integers(-90, 90, n)).astype(dtype)
    else:
        array = np.frombuffer(rng.bytes(n * dtype.itemsize), f"{dtype.kind}{dtype.itemsize}")
        array = array.astype("i8").view(dtype) if dtype.kind in "mM" else array.astype(dtype)
    valid = rng.random(n) < draw(st.sampled_from([0, 0.1, 0.5, 0.9]))
    if valid.all():
        valid[0] = False
    where = rng.random(n) < 0.7 if draw(st.booleans()) else True
    nullable = library(array, valid)
    cut = draw(st.integers(0, min(11, n - 1)))
    nullable, array, valid = nullable[cut:], array[cut:], valid[cut:]
    where = where if where is True else where[cut:]
    result, messages = warned(lambda: compute_mean(nullable, skipna=True, where=where))
    wanted, warnings = expected(array, where=valid & where)
    assert messages == sorted(warnings)
    assert same(result, wanted)


@LIBRARIES
def test_nulls_are_an_error_unless_they_are_skipped(library):
    nullable = library(np.array([BIG, 5, 1]), np.array([True, False, True]))
    with pytest.raises(ValueError, match="1 of 3 elements are null; pass skipna=True"):
        compute_mean(nullable)
    assert compute_mean(nullable, skipna=True) == (BIG + 1) // 2
    nothing = library(np.array([1.0, 2.0]), np.array([False, False]))
    result, messages = warned(lambda: compute_mean(nothing, skipna=True))
    assert np.isnan(result)
    assert messages == [EMPTY]


@LIBRARIES
def test_a_nan_is_no_null(library):
    array = np.array([1.0, np.nan, 4.0, 9.0])
    assert np.isnan(compute_mean(library(array)))
    assert compute_mean(library(array), skipna=True) == 14 / 3
    assert compute_mean(library(array, np.array([1, 1, 1, 0], bool)), skipna=True) == 2.5


def test_dates_and_halves():
    days = np.array(["2026-01-01", "2026-01-02", "2026-01-06"], "datetime64[D]")
    for given_ in (pa.array(days), pl.Series(days), pa.array(days).cast(pa.date64())):
        assert compute_mean(given_) == np.datetime64("2026-01-03")
    halves = np.array([1, 2, 4], np.float16)
    assert same(compute_mean(pa.array(halves)), compute_mean(halves))


def test_nothing_has_no_mean():
    for nothing in (
        pa.array([], pa.float64()),
        pa.Array.from_buffers(pa.int64(), 0, [None, None]),
        pa.chunked_array([], pa.int8()),
        pl.Series([], dtype=pl.Int64),
    ):
        with pytest.raises(MeanError, match="zero length"):
            compute_mean(nothing, skipna=True)


@pytest.mark.parametrize(
    "given_",
    [
        pa.array(["a"]),
        pa.array([None, None]),
        pa.array([1, 2]).cast(pa.decimal128(21, 2)),
        pa.array([1, 2]).cast(pa.timestamp("s", "UTC")),
        pa.array([1, 2]).dictionary_encode(),
        pa.array([[1], [2]]),
        pa.array([{"x": 1}]),
        pa.array([1], pa.time32("s")),
        pa.table({"x": [1, 2]}),
        pa.record_batch({"x": [1, 2]}),
        pa.scalar(1.0),
        pl.Series(["a"]),
        pl.Series([None, None]),
        pl.Series([1, 2]).cast(pl.Decimal(20, 2)),
        pl.Series([1, 2]).cast(pl.Datetime("us", "UTC")),
        pl.Series([1, 2]).cast(pl.Time),
        pl.Series(["a"]).cast(pl.Categorical),
        pl.Series([[1], [2]]),
        pl.Series([[1, 2]], dtype=pl.Array(pl.Int64, 2)),
        pl.Series([{"x": 1}]),
        pl.Series([1], dtype=pl.Int128),
        pl.DataFrame({"x": [1, 2]}),
        pl.LazyFrame({"x": [1, 2]}),
    ],
    ids=lambda given_: f"{type(given_).__name__} {getattr(given_, 'type', '')}",
)
def test_anything_else_is_refused_by_name(given_):
    with pytest.raises(TypeError, match="compute_mean does not take"):
        compute_mean(given_)
    with pytest.raises(TypeError, match="compute_mean does not take"):
        compute_mean([given_])


def test_a_tensor_is_a_buffer():
    tensor = pa.Tensor.from_numpy(np.array([[BIG, 1], [2, 4]]))
    assert compute_mean(tensor, axis=0)[1] == 2.5
    with pytest.raises(TypeError, match=f"the integer {BIG}"):
        compute_mean([tensor, [[0.5, 0.5]] * 2])


def test_nulls_in_a_list_are_refused():
    for nullable in (pa.array([1, None]), pl.Series([1, None])):
        with pytest.raises(TypeError, match="mask or nulls would be lost in a list"):
            compute_mean([nullable])
    assert compute_mean([pa.array([1, 2]), pl.Series([3, 4])]) == 2.5
