"""compute_mean as the function that xarray reduces by."""

import numpy as np
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
