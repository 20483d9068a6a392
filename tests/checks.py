"""A call beside the oracle, whatever is in it."""

import numpy as np
import pytest
from oracle import expected, result_dtype, same, warned
from strategies import DTYPES, REALS

from mean import MeanError, Status, compute_mean


def named(dtype):
    return dtype.str[1:] if dtype.kind != "V" else "bfloat16"


every_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=named)
every_float = pytest.mark.parametrize("dtype", [np.dtype(dtype) for dtype in REALS], ids=named)


def memory(array):
    """Return the bytes that an array is a view of."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array.tobytes()


def leaves_nothing(a, axis):
    """Whether some cell of the result has no elements, whatever counts."""
    axes = range(a.ndim) if axis is None else np.atleast_1d(np.array(axis, int)) % max(a.ndim, 1)
    return a.size == 0 and all(n for k, n in enumerate(a.shape) if k not in axes)


def check(a, out=None, **options):
    """Compare a call with the oracle: result, warnings, and what must stay as it was."""
    inputs = [a] + [x for x in [options.get("where")] if isinstance(x, np.ndarray)]
    before = [memory(x) for x in inputs]
    passed = dict(options) if out is None else {**options, "out": out}
    if leaves_nothing(a, options.get("axis")):
        with pytest.raises(MeanError) as caught:
            compute_mean(a, **passed)
        assert caught.value.status is Status.ZERO_LENGTH
        return None
    if out is not None and options.get("dtype") is None:
        options["dtype"] = out.dtype if a.dtype.kind not in "mM" else None
    result, messages = warned(lambda: compute_mean(a, **passed))
    wanted, warning = expected(a, **options)
    assert messages == sorted(warning)
    if out is None:
        assert same(result, wanted), (result, wanted)
        assert not any(np.shares_memory(result, x, max_work=1) for x in inputs if result.ndim)
    else:
        assert result is out
        native = result_dtype(out.dtype)
        assert np.array(out, native).tobytes() == np.asarray(wanted).astype(native).tobytes()
    assert [memory(x) for x in inputs] == before
    return result
