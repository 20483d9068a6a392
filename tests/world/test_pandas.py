"""Series, indexes and frames of pandas; compute_mean as the function of an aggregation."""

import warnings

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle import EMPTY, expected, same, warned

from mean import MeanError, Status, compute_mean
from mean._input import as_input

BIG = 2**60 + 1


@pytest.mark.parametrize("dtype", ["int64", "float32", "float64", "bool", "datetime64[ns]"])
def test_a_numpy_column_is_taken_as_it_is(dtype):
    array = np.array([1, 0, 3]).astype(dtype)
    series = pd.Series(array, index=[7, 5, 9])
    assert np.shares_memory(as_input(series).array, series.to_numpy())
    for given_ in (series, pd.Index(array), series.array):
        assert same(compute_mean(given_), compute_mean(array))


def test_nan_is_a_number_and_counts_unlike_in_pandas():
    series = pd.Series([1.0, np.nan, 4.0])
    assert np.isnan(compute_mean(series))
    assert compute_mean(series, skipna=True) == series.mean() == 2.5
    days = pd.Series(pd.to_datetime(["2026-01-01", None, "2026-01-03"]))
    assert np.isnat(compute_mean(days))
    assert compute_mean(days, skipna=True) == np.datetime64("2026-01-02")


NULLABLE = ["Int8", "UInt16", "Int32", "Int64", "UInt64", "Float32", "Float64", "boolean"]


def dtypes():
    arrow = [f"{name}[pyarrow]" for name in ["int64", "uint8", "float", "double", "bool"]]
    return [*NULLABLE, *arrow]


@given(st.data())
def test_nulls_are_left_out_exactly(data):
    draw = data.draw
    dtype = draw(st.sampled_from(dtypes()))
    plain = np.dtype(pd.array([1], dtype=dtype).to_numpy().dtype)
    info = np.iinfo(plain) if plain.kind in "iu" else None
    element = (
        st.integers(info.min, info.max)
        if info
        else st.booleans()
        if plain.kind == "b"
        else st.floats(width=plain.itemsize * 8, allow_nan=False)
    )
    values = draw(st.lists(st.one_of(st.none(), element), min_size=1, max_size=20))
    valid = np.array([value is not None for value in values])
    # (In the dtype at once: NumPy makes float64 of large integers beside others.)
    array = np.array([0 if value is None else value for value in values], plain)
    series = pd.Series(pd.array(values, dtype=dtype))
    result, messages = warned(lambda: compute_mean(series, skipna=True))
    wanted, warnings_ = expected(array, where=valid)
    assert messages == sorted(warnings_)
    assert same(result, wanted)
    if valid.all():
        assert same(compute_mean(series), wanted)
    else:
        with pytest.raises(ValueError, match=r"of \d+ elements are null; pass skipna=True"):
            compute_mean(series)


def test_a_column_of_numpys_own_is_no_nullable_one():
    for dtype in ("f8", ">f8"):
        array = np.array([1.0, np.nan]).astype(dtype)
        series = pd.Series(array)
        assert np.isnan(compute_mean(series.array))
        assert compute_mean(series.array, skipna=True) == 1
        assert np.shares_memory(as_input(series.array).array, series.to_numpy())


def test_the_numbers_under_nulls_are_left_as_they_are():
    column = pd.array([1, None, 3], dtype="Int64")
    before = column.copy()
    compute_mean(column, skipna=True)
    pd.testing.assert_extension_array_equal(column, before)


def test_a_subclass_of_series_is_one():
    class Own(pd.Series):
        pass

    with pytest.raises(ValueError, match="1 of 2 elements are null"):
        compute_mean(Own([1, None], dtype="Int64"))


def test_an_index_of_categories_is_refused():
    with pytest.raises(TypeError, match="pandas dtype category"):
        compute_mean(pd.CategoricalIndex([10, 20]))


def test_where_goes_by_position():
    where = pd.Series([True, False, False], index=[2, 1, 0])
    assert compute_mean(pd.Series([1.0, 2.0, 3.0]), where=where) == 1


def test_where_and_nulls_combine():
    series = pd.Series([1, None, BIG, 7], dtype="Int64")
    assert compute_mean(series, where=[False, True, True, True], skipna=True) == (BIG + 7) // 2
    assert compute_mean(pd.Series([1, 2, 3]), where=pd.Series([True, False, True])) == 2
    nullable = pd.Series([True, False, True], dtype="boolean")
    assert compute_mean([1, 2, 3], where=nullable) == 2
    nullable[0] = pd.NA
    with pytest.raises(ValueError, match="where has nulls"):
        compute_mean([1, 2, 3], where=nullable)


@pytest.mark.parametrize(
    "column",
    [
        pd.Series([1, 2, 2]).astype("category"),
        pd.Series(pd.date_range("2026", periods=2, tz="UTC")),
        pd.Series(pd.period_range("2026", periods=2)),
        pd.Series(pd.interval_range(0, 2)),
        pd.Series(["a"]),
        pd.Series(["a"], dtype="string"),
        pd.Series([pd.NA, 1], dtype=object),
        pd.Series([1], dtype=pd.ArrowDtype(pa.timestamp("ns", "UTC"))),
        pd.Series([1], dtype=pd.ArrowDtype(pa.decimal128(5, 2))),
    ],
    ids=lambda column: str(column.dtype),
)
def test_another_dtype_is_refused_by_name(column):
    for given_ in (column, pd.DataFrame({"x": column, "y": 1.0})):
        with pytest.raises(TypeError, match="compute_mean does not take"):
            compute_mean(given_)
    with pytest.raises(TypeError, match="compute_mean does not take"):
        compute_mean([column, column])


def test_nulls_in_a_list_are_refused():
    with pytest.raises(TypeError, match="mask or nulls would be lost in a list"):
        compute_mean([pd.Series([1, None], dtype="Int64")])
    assert compute_mean([pd.Series([1, 2], dtype="Int64"), pd.Series([3.0, 4.0])]) == 2.5


def test_a_sparse_column_counts_its_zeros():
    assert compute_mean(pd.Series(pd.arrays.SparseArray([0.0, 0.0, 3.0]))) == 1


# Frames.


@pytest.mark.parametrize("axis", [None, 0, 1])
def test_a_frame_of_one_dtype_is_taken_as_it_is(axis):
    array = np.array([[1e308, 2.0], [1e308, 0.5]])
    frame = pd.DataFrame(array, columns=["x", "y"])
    assert np.shares_memory(as_input(frame).array, frame.to_numpy())
    assert same(compute_mean(frame, axis=axis), compute_mean(array, axis=axis))


@pytest.mark.parametrize("axis", [None, 0, 1])
def test_a_frame_of_several_dtypes(axis):
    frame = pd.DataFrame(
        {
            "i": np.array([1, 2, 4], "int16"),
            "n": pd.array([1, None, 2**53], "Int64"),
            "f": np.array([0.5, 1e300, -1e300], "float64"),
            "a": pd.array([1.5, 2.5, None], "float[pyarrow]"),
        }
    )
    numbers = np.array([[1, 1, 0.5, 1.5], [2, 0, 1e300, 2.5], [4, 2**53, -1e300, 0]])
    valid = np.array([[1, 1, 1, 1], [1, 0, 1, 1], [1, 1, 1, 0]], bool)
    result = compute_mean(frame, axis=axis, skipna=True)
    assert same(result, expected(numbers, axis=axis, where=valid)[0])
    with pytest.raises(ValueError, match="2 of 12 elements are null"):
        compute_mean(frame, axis=axis)


def test_a_frame_whose_integers_would_be_rounded_is_refused():
    for dtype in ("int64", "uint64", "Int64"):
        frame = pd.DataFrame({"i": pd.Series([BIG, BIG], dtype=dtype), "f": [0.5, 1.5]})
        with pytest.raises(TypeError, match=f"the integer {BIG} does not fit"):
            compute_mean(frame)
    small = pd.DataFrame({"a": np.array([255], "u1"), "b": np.array([0.5], "f2")})
    assert compute_mean(small) == 127.75
    assert compute_mean(frame["i"]) == 2.0**60
    assert compute_mean(pd.DataFrame({"i": [2**60], "f": [0.5]})) == 2.0**59


def test_a_frame_of_times():
    days = pd.to_datetime(["2026-01-01", "2026-01-03"])
    frame = pd.DataFrame({"a": days, "b": days})
    assert (compute_mean(frame, axis=0) == np.datetime64("2026-01-02")).all()
    with pytest.raises(TypeError, match="have no mean together"):
        compute_mean(frame.assign(b=[1, 2]))
    with pytest.raises(TypeError, match="have no mean together"):
        compute_mean(frame.assign(b=days - days))


# The function of an aggregation.

FRAME = pd.DataFrame(
    {
        "key": pd.Categorical(["a", "b", "a"], categories=["a", "b", "never"]),
        "x": [1e308, 2.0, 1e308],
        "n": pd.array([1, None, 4], dtype="Int64"),
    }
)


def test_agg_of_a_frame_and_of_groups():
    numbers = FRAME[["x"]].assign(y=[1, 2, 3])
    assert numbers.agg(compute_mean).tolist() == [compute_mean(numbers["x"]), 2]
    assert numbers.apply(compute_mean, axis=1).tolist() == [5e307, 2, 5e307]
    groups = FRAME.groupby("key", observed=True)
    assert FRAME["x"].pipe(compute_mean) == compute_mean(FRAME["x"])
    assert groups["x"].agg(compute_mean).to_dict() == {"a": 1e308, "b": 2.0}
    n = groups["n"].agg(lambda group: compute_mean(group, skipna=True) if group.count() else None)
    assert n["a"] == 2.5
    assert pd.isna(n["b"])
    with pytest.raises(ValueError, match="1 of 1 elements are null"):
        groups["n"].agg(compute_mean)
    result, messages = warned(lambda: groups["n"].agg(compute_mean, skipna=True))
    assert EMPTY in messages
    assert result["a"] == 2.5


def test_pandas_2_calls_the_function_of_a_single_series_for_each_element():
    series = pd.Series([1.0, 2.0])
    if pd.__version__ >= "3":
        assert series.agg(compute_mean) == 1.5
    else:
        with pytest.warns(FutureWarning, match=r"in Series\.agg cannot aggregate"):
            assert series.agg(compute_mean).tolist() == [1, 2]


def test_a_category_that_no_row_has_is_an_error_unless_it_is_left_out():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        with pytest.raises(MeanError, match="zero length") as caught:
            FRAME.groupby("key", observed=False)["x"].agg(compute_mean)
    assert caught.value.status is Status.ZERO_LENGTH
