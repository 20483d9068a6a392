"""NumPy's own tests, as its wheel ships them, with `compute_mean` in the place of NumPy's means."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
from numpy_suite import DIFFERENCES

NUMPY = Path(np.__file__).parent
CORE = "_core" if (NUMPY / "_core").exists() else "core"

#: All of NumPy's tests that reach a mean, in one version of it or another, and some beside them.
#: Left out are numpy.random's, which average samples to test generators: PyPy aborts in them.
REACHING = {
    f"{CORE}/tests/test_datetime.py": ["TestDateTime::test_timedelta_correct_mean"],
    f"{CORE}/tests/test_memmap.py": ["TestMemmap::test_ufunc_return_ndarray"],
    f"{CORE}/tests/test_multiarray.py": ["TestStats"],
    f"{CORE}/tests/test_numeric.py": ["TestNonarrayArgs", "TestStdVar::test_out_scalar"],
    f"{CORE}/tests/test_overrides.py": ["test_function_like"],
    f"{CORE}/tests/test_regression.py": [
        "TestRegression::test_attributes",
        "TestRegression::test_method_args",
    ],
    "lib/tests/test_arraypad.py": [
        "TestConditionalShortcuts",
        "TestPadWidth::test_zero_pad_width",
        "TestStatistic",
        "test_dtype_persistence",
        "test_kwargs",
        "test_memory_layout_persistence",
        "test_non_contiguous_array",
    ],
    "lib/tests/test_function_base.py": [
        "TestAverage",
        "TestCorrCoef",
        "TestCov",
        "TestMedian",
        "TestQuantile::test_quantile_identification_equation",
        "TestVectorize::test_signature_center",
        "TestVectorize::test_signature_mean_last",
    ],
    "lib/tests/test_histograms.py": ["TestHistogramOptimBinNums"],
    "lib/tests/test_nanfunctions.py": [
        "TestNanFunctions_IntTypes",
        "TestNanFunctions_MeanVarStd",
        "TestNanFunctions_Median",
        "TestNanFunctions_NumberTypes::test_nanfunc",
        "TestNanFunctions_Percentile::test_empty",
    ],
    "lib/tests/test_polynomial.py": ["TestPolynomial::test_polyfit"],
    "lib/tests/test_recfunctions.py": ["TestRecFunctions::test_structured_to_unstructured"],
    "lib/tests/test_regression.py": ["TestRegression::test_cov_parameters"],
    "ma/tests/test_core.py": [
        "TestMaskedArrayFunctions::test_on_ndarray",
        "TestMaskedArrayMathMethods::test_anom",
        "TestMaskedArrayMathMethods::test_anom_shape",
        "TestMaskedArrayMathMethods::test_meananom_object",
        "TestMaskedArrayMathMethods::test_varmean_nomask",
        "TestOptionalArgs::test_ndarrayfuncs",
    ],
    "ma/tests/test_extras.py": ["TestAverage", "TestCorrcoef", "TestCov", "TestMedian"],
    "ma/tests/test_old_ma.py": ["TestMa::test_testAverage2"],
    "matrixlib/tests/test_defmatrix.py": ["TestProperties::test_noaxis"],
    "matrixlib/tests/test_interaction.py": [
        "test_average_matrix",
        "test_nanfunctions_matrices_general",
    ],
}

#: What must be among them, whatever else comes and goes.
IN_EVERY_NUMPY = [
    "TestStats",
    "TestNonarrayArgs",
    "TestAverage",
    "TestNanFunctions_MeanVarStd",
    "TestNanFunctions_(Int|Number)Types",
    "TestMaskedArrayMathMethods",
]


def is_in(path, name):
    """Whether a file of this NumPy has a test, or a class of them."""
    source = path.read_text()
    return all(re.search(rf"^ *(class|def) {part}\b", source, re.M) for part in name.split("::"))


def test_numpys_own_tests_pass_but_for_the_differences():
    tests = [
        f"{path}::{name}"
        for path, names in REACHING.items()
        for name in names
        if is_in(NUMPY / path, name)
    ]
    # NumPy expects every RuntimeWarning that it causes: others are ours. Longer tracebacks, which
    # are made of what is expected to fail too, take twice as long as the tests.
    options = ["-p", "numpy_suite", "-W", "error::RuntimeWarning", "-q", "--tb=line"]
    # Neither this project's settings nor a cache in NumPy's folder.
    apart = ["-c", os.devnull, f"--rootdir={NUMPY}", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *apart, *(NUMPY / test for test in tests)],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    reached = re.findall(r"^reached: (.*)$", done.stdout, re.M)
    wanted = tests + IN_EVERY_NUMPY
    if CORE == "_core":  # NumPy 1.21 has not all of them
        wanted += [name for _, _, names in DIFFERENCES for name in names]
    idle = [test for test in wanted if not any(re.search(rf"\b{test}(\W|$)", r) for r in reached)]
    assert idle == []
    # 181 with NumPy 1.21, 376 and more with NumPy 2.
    assert len(reached) > 150
