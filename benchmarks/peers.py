"""Print what compute_mean and its peers answer where the README says that they differ."""

import warnings

import bottleneck
import numpy as np
import polars
import pyarrow
import pyarrow.compute

from mean import compute_mean

PEERS = {
    "compute_mean": compute_mean,
    "np.mean": np.mean,
    "np.nanmean": np.nanmean,
    "bottleneck": bottleneck.nanmean,
    "pyarrow": lambda a: pyarrow.compute.mean(pyarrow.array(a)).as_py(),
    "polars": lambda a: polars.Series(a).mean(),
}
#: What each is given; only compute_mean has skipna, the others skip or do not.
CASES = {
    "[1e308] * 2": (np.array([1e308] * 2), {}),
    "int64 [2**53, 1, 1, -2**53]": (np.array([2**53, 1, 1, -(2**53)]), {}),
    "float32 ones of (2**25, 2), axis 0": (np.ones((2**25, 2), np.float32), {"axis": 0}),
    "timedelta64[s] [1, 2, 2]": (np.array([1, 2, 2], "m8[s]"), {}),
    "datetime64[D] 1, 2, 2 of January": (
        np.array(["2026-01-01", *["2026-01-02"] * 2], "M8[D]"),
        {},
    ),
    "[1, NaN, 4], skipping": (np.array([1.0, np.nan, 4.0]), {"skipna": True}),
    "int8 [1, null, 4], skipping": (pyarrow.array([1, None, 4], pyarrow.int8()), {"skipna": True}),
    "[1, 3, 1000], the last one masked": (np.ma.array([1.0, 3.0, 1000.0], mask=[0, 0, 1]), {}),
}


def answer(mean, a, **options):
    """Return the mean in words, or the name of the error."""
    try:
        return str(mean(a, **options))
    except Exception as error:  # each peer has its own
        return type(error).__name__


def correctly_rounded(mean):
    """Return how many of a thousand small random cases are the exact mean, rounded once."""
    rng = np.random.default_rng(0)
    cases = [rng.normal(size=rng.integers(2, 20)) for _ in range(1000)]
    return int(sum(mean(a) == compute_mean(a) for a in cases))


def in_another_order(mean):
    """Return how many of a thousand means change if their numbers are sorted."""
    rng = np.random.default_rng(0)
    cases = [rng.normal(size=rng.integers(2, 20)) for _ in range(1000)]
    return int(sum(mean(a) != mean(np.sort(a)) for a in cases))


def main():
    """Print a line for each case."""
    warnings.simplefilter("ignore")
    for name, (a, options) in CASES.items():
        of_all = {key: value for key, value in options.items() if key != "skipna"}
        found = {
            peer: answer(mean, a, **(options if mean is compute_mean else of_all))
            for peer, mean in PEERS.items()
        }
        print(name, found, sep=": ")
    for count in correctly_rounded, in_another_order:
        found = {peer: count(mean) for peer, mean in PEERS.items()}
        print(f"{count.__name__} of 1000: {found}")


if __name__ == "__main__":
    main()
