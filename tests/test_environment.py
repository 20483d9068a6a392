"""The caller's floating-point environment changes no bit, and is left as found."""

import platform
import subprocess

import cffi
import numpy as np
import pytest
from oracle import exact_mean, same

from mean import compute_mean

FLUSH_TO_ZERO, DENORMALS_ARE_ZERO = 0x8000, 0x0040
ROUND_DOWN, ROUND_UP, ROUND_TO_ZERO = 0x2000, 0x4000, 0x6000
DEFAULT = 0x1F80

SOURCE = """
#include <xmmintrin.h>
unsigned get(void) { return _mm_getcsr(); }
void set(unsigned bits) { _mm_setcsr(bits); }
"""


@pytest.fixture(scope="module")
def mxcsr(tmp_path_factory):
    """Return functions that read and write the SSE control and status register."""
    if platform.machine() not in ("x86_64", "AMD64"):
        pytest.skip("MXCSR is x86's")
    folder = tmp_path_factory.mktemp("mxcsr")
    (folder / "mxcsr.c").write_text(SOURCE)
    library = folder / "mxcsr.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, folder / "mxcsr.c"], check=True)
    ffi = cffi.FFI()
    ffi.cdef("unsigned get(void); void set(unsigned bits);")
    return ffi.dlopen(str(library))


@pytest.mark.parametrize(
    "bits",
    [
        FLUSH_TO_ZERO,
        DENORMALS_ARE_ZERO,
        FLUSH_TO_ZERO | DENORMALS_ARE_ZERO,
        ROUND_DOWN,
        ROUND_UP,
        ROUND_TO_ZERO | FLUSH_TO_ZERO,
    ],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_environment_does_not_matter(mxcsr, dtype, bits):
    rng = np.random.default_rng(0)
    tiny = np.finfo(dtype).tiny
    arrays = [
        (rng.uniform(-2, 2, 1000) * tiny).astype(dtype),
        np.array([tiny / 2, tiny / 4], dtype),
        rng.normal(size=1000).astype(dtype),
        np.array([1, np.finfo(dtype).eps / 2], dtype),
    ]
    expected = [exact_mean(array) for array in arrays]
    results = []
    # And tables: of the same numbers, and of integers.
    tables = [
        rng.normal(size=(9, 50)).astype(dtype),
        rng.integers(-(2**53) // 9, 2**53 // 9, (9, 50)),
    ]
    of_tables = [np.array([exact_mean(column) for column in table.T]) for table in tables]
    mxcsr.set(DEFAULT | bits)
    try:
        for array in arrays:
            results.append(compute_mean(array))
        means = [compute_mean(table, axis=0) for table in tables]
        found = mxcsr.get()
    finally:
        mxcsr.set(DEFAULT)
    control = ~0x3F  # the sticky flags are the lowest six bits
    assert found & control == DEFAULT | bits
    assert [same(*pair) for pair in zip(results, expected)] == [True] * len(arrays)
    assert all(map(same, means, of_tables))
