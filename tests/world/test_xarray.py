"""compute_mean as the function that xarray reduces by."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from mean import compute_mean

ARRAY = xr.DataArray(
    np.array([[[1e308, 1.0], [1e308, 2.0]], [[-1e308, 4.0], [1e16, 1.0]], [[5, 6], [7, 8]]]),
    dims=["x", "y", "z"],
    coords={"x": [10, 10, 20]},
)


def test_dataarray_reduce():
    for dim, axis in (("x", 0), (["x", "z"], (0, 2)), (..., None)):
        reduced = ARRAY.reduce(compute_mean, dim=dim)
        assert isinstance(reduced, xr.DataArray)
        assert np.array_equal(reduced.to_numpy(), compute_mean(ARRAY.to_numpy(), axis))
    assert ARRAY.reduce(compute_mean, dim="y", keepdims=True).shape == (3, 1, 2)
    assert ARRAY.reduce(compute_mean, dim="y", skipna=True).dims == ("x", "z")


def test_dataset_and_groups():
    dataset = xr.Dataset({"a": ARRAY}).reduce(compute_mean, dim="z")
    assert np.array_equal(dataset["a"].to_numpy(), compute_mean(ARRAY.to_numpy(), 2))
    grouped = ARRAY.groupby("x").reduce(compute_mean, dim="x")
    halves = [compute_mean(ARRAY.to_numpy()[:2], 0), ARRAY.to_numpy()[2]]
    assert np.array_equal(grouped.transpose("x", "y", "z").to_numpy(), halves)


def test_a_dataarray_itself_is_an_array():
    assert np.array_equal(compute_mean(ARRAY, axis=1), compute_mean(ARRAY.to_numpy(), axis=1))


def test_a_column_of_pandas_in_a_dataarray_keeps_its_nulls():
    big = 2**53 + 1
    nullable = xr.DataArray(pd.array([big, 1, None], dtype="Int64"), dims="x")
    assert compute_mean(nullable, skipna=True) == (big + 1) // 2
    assert nullable.reduce(compute_mean, dim="x", skipna=True) == (big + 1) // 2
    with pytest.raises(ValueError, match="1 of 3 elements are null"):
        compute_mean(nullable)
    with pytest.raises(TypeError, match="nulls would be lost in a list"):
        compute_mean([nullable])
    assert compute_mean(nullable.variable, skipna=True) == (big + 1) // 2


def test_what_has_no_mean_is_refused_by_name():
    categories = xr.DataArray(pd.Categorical([10, 20]), dims="x")
    index = xr.DataArray([1, 2], dims="x", coords={"x": pd.CategoricalIndex([10, 20])})["x"]
    for given in (categories, index):
        with pytest.raises(TypeError, match="pandas dtype category"):
            compute_mean(given)
    with pytest.raises(TypeError, match="Dataset"):
        compute_mean(xr.Dataset({"a": ARRAY}))


def test_a_coordinate_is_an_array():
    assert compute_mean(ARRAY["x"]) == np.mean([10, 10, 20])
