"""A pytest plugin that gives NumPy's own tests `compute_mean` in the place of NumPy's means.

What of all NumPy reaches it, from this folder:

    python -m pytest -p numpy_suite -c /dev/null --continue-on-collection-errors --pyargs numpy
"""

import os
import re

import numpy as np
import pytest

from mean import MeanError, compute_mean

try:
    import numpy._core._methods as methods
    import numpy.lib._nanfunctions_impl as nanfunctions
except ImportError:  # before NumPy 2
    import numpy.core._methods as methods
    import numpy.lib.nanfunctions as nanfunctions

#: How `pytest.warns` ends, also where an error took the place of the warning.
NOT_RAISED = pytest.fail.Exception

#: All deliberate differences: the reason, how the tests fail, and the ends of their names.
DIFFERENCES = [
    (
        "no elements are an error, which nobody overlooks as a NaN",
        (MeanError, NOT_RAISED),
        [
            r"TestStats::test_empty",
            r"TestNonarrayArgs::test_mean",
            r"TestStatistic::test_zero_stat_length_valid\[(mean|median)\]",
            r"(TestCorrCoef|TestCov|TestMedian)::test_empty",
            r"TestNanFunctions_(MeanVarStd|Median|Percentile)::test_empty",
        ],
    ),
    (
        "no longdouble: floats have up to 64 bits",
        (TypeError, NOT_RAISED),
        [
            r"TestStats::test_dtype_from_dtype",
            r"TestStats::test_var_complex_values\[clongdouble-.*\]",
            r"test_dtype_persistence\[(mean|median)-(c?longdouble|float128|complex256)\]",
            r"(TestCorrCoef|TestCov)::test_(corrcoef|cov)_dtype\[(longdouble|float128)\]",
            r"TestNanFunctions_MeanVarStd::test_dtype_from_(dtype|char|input)",
            r"TestNanFunctions_MeanVarStd::test_(allnans|where)\[(.*-)?[gG](-.*)?\]",
            r"TestNanFunctions_NumberTypes::test_nanfunc\[(nanmean|nanmedian)-.*-[gG]\]",
        ],
    ),
    (
        "no objects: their sums and quotients are whatever their classes say",
        (TypeError, AssertionError),
        [
            r"TestStats::test_dtype_from_input",
            r"TestStats::test_(mean|var)_values",
            r"test_overrides.py::test_function_like",
            r"TestAverage::test_(object_dtype|object_no_weights|average_class_without_dtype)",
            r"TestMedian::test_object",
            r"TestNanFunctions_NumberTypes::test_nanfunc\[(nanmean|nanmedian)-.*-O\]",
            r"TestMaskedArrayMathMethods::test_meananom_object",
        ],
    ),
    (
        "array subclasses are refused: the mean would lose what they add",
        (TypeError,),
        [
            r"TestStats::test_subclass",
            r"TestRegression::test_attributes",
            r"TestAverage::test_subclasses",
            r"TestMedian::test_subclass2\[.*\]",
            r"TestNanFunctions_MeanVarStd::test_subclass",
        ],
    ),
    (
        "the means of a matrix are an array, like those of its numbers",
        (AttributeError, AssertionError),
        [
            r"test_defmatrix.py::TestProperties::test_noaxis",
            r"test_nanfunctions_matrices_general",
            r"test_average_matrix",
        ],
    ),
    (
        "durations are rounded to the nearest unit, and not cut off",
        (AssertionError,),
        [r"TestDateTime::test_timedelta_correct_mean"],
    ),
    (
        "np.std with the exact mean is not np.std with the mean that it rounds itself, bit for bit",
        (AssertionError,),
        [
            r"TestNonarrayArgs::test_(std|var)_with_mean_keyword_(keepdims_false|where_nontrivial)",
        ],
    ),
]

#: The tests that called `compute_mean`.
reached = set()


def in_place_of(name, **options):
    """Return `compute_mean` with the signature of a function of NumPy's, and no way back to it."""

    def mean(a, axis=None, dtype=None, out=None, keepdims=np._NoValue, *, where=np._NoValue):
        reached.add(os.environ["PYTEST_CURRENT_TEST"])
        given = {"keepdims": keepdims, "where": where}
        given = {name: value for name, value in given.items() if value is not np._NoValue}
        return compute_mean(a, axis, dtype, out, **given, **options)

    mean.__name__ = name
    return mean


def pytest_configure():
    """Replace the means, before they are called: `ndarray.mean` keeps what it found first."""
    methods._mean = in_place_of("_mean")
    np.nanmean = nanfunctions.nanmean = in_place_of("nanmean", skipna=True)


def pytest_pycollect_makeitem(obj):
    """Have pytest 8 call the methods `setup`, of nose's, in the tests of NumPy 1.21."""
    if isinstance(obj, type) and hasattr(obj, "setup") and not hasattr(obj, "setup_method"):
        obj.setup_method = obj.setup


def pytest_collection_modifyitems(items):
    """Expect the differences to fail."""
    for reason, raises, names in DIFFERENCES:
        mark = pytest.mark.xfail(reason=reason, raises=raises, strict=True)
        pattern = re.compile(rf".*\b({'|'.join(names)})")
        for item in items:
            if pattern.fullmatch(item.nodeid):
                item.add_marker(mark)


def pytest_terminal_summary(terminalreporter):
    """Say which tests called `compute_mean`."""
    for test in sorted(reached):
        terminalreporter.write_line(f"reached: {test}")
