"""`compute_mean`: from anything NumPy takes to one call of the library."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, overload

import numpy as np

from mean._library import MeanError, Status, lib
from mean._mean_cffi import ffi

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    _Float = TypeVar("_Float", np.float32, np.float64)


class _Kernel(NamedTuple):
    """The library's function for one dtype, and the C types of its arguments."""

    call: Any
    elements: Any
    result: Any


def _kernels() -> dict[np.dtype[Any], _Kernel]:
    """Return the kernel of each dtype, by the library's own names: mean_f64 takes float64."""
    kernels = {}
    for name in dir(lib):
        kind, bits = name[len("mean_") :][:1], name[len("mean_") + 1 :]
        if name.startswith("mean_") and bits.isdigit():
            function = getattr(lib, name)
            elements, *_, result = ffi.typeof(function).args
            array = ffi.typeof(f"{elements.item.cname}[]")
            kernels[np.dtype(f"{kind}{int(bits) // 8}")] = _Kernel(function, array, result)
    return kernels


_KERNELS = _kernels()


@overload
def compute_mean(a: NDArray[_Float]) -> _Float: ...
@overload
def compute_mean(a: ArrayLike) -> np.floating[Any]: ...
def compute_mean(a: ArrayLike) -> np.floating[Any]:
    """Return the mean of all elements: the exact mean, rounded once.

    Parameters
    ----------
    a : array_like of float32 or float64
        Any shape, strides, byte order and alignment, at least one element. Never written to;
        copied only where its elements do not lie side by side in native byte order.

    Returns
    -------
    numpy.float32 or numpy.float64
        RN((x_1 + ... + x_n) / n), to nearest, ties to even, in the dtype of `a`. It depends on the
        numbers alone: not on their order or layout, nor on the machine.

    Raises
    ------
    MeanError
        Where `a` has no elements. A `ValueError`.
    TypeError
        Where the dtype of `a` is another one, or `a` is an array subclass whose meaning (a mask, a
        unit) would be lost.

    Notes
    -----
    A NaN, or +inf and -inf together, give NaN; one kind of infinity gives that infinity. Nothing
    else overflows on the way. An exact zero is +0.0.

    The exact sum is kept in integer digits as in [1]_.

    References
    ----------
    .. [1] R. M. Neal, "Fast exact summation using small and large superaccumulators", 2015,
       arXiv:1505.05571.

    Examples
    --------
    >>> import numpy as np
    >>> from mean import compute_mean
    >>> float(compute_mean([1e308] * 10))
    1e+308
    >>> float(compute_mean(np.array([[1e100, 1.0], [2.0, -1e100]])))
    0.75
    >>> compute_mean(np.ones(3, np.float32)).dtype
    dtype('float32')
    """
    array = _side_by_side(_as_array(a))
    kernel = _KERNELS[array.dtype]
    result = ffi.new(kernel.result)
    elements = ffi.from_buffer(kernel.elements, array)
    status = kernel.call(elements, array.size, array.itemsize, result)
    if status:
        raise MeanError(Status(status), f"got an array of shape {np.shape(a)}")
    mean: np.floating[Any] = array.dtype.type(result[0])
    return mean


compute_mean.__module__ = "mean"  # where users find it


def _as_array(a: ArrayLike) -> NDArray[Any]:
    """Return `a` as an array of a dtype that has a kernel in some byte order."""
    if isinstance(a, np.ndarray) and type(a) not in (np.ndarray, np.memmap, np.matrix):
        kind = f"{type(a).__module__}.{type(a).__name__}"
        raise TypeError(
            f"compute_mean does not take {kind}, whose mask, unit or other meaning the mean would "
            "lose; pass the plain numbers, for example numpy.asarray(a)"
        )
    array = np.asarray(a)
    if array.dtype.newbyteorder("=") not in _KERNELS:
        supported = ", ".join(sorted(str(dtype) for dtype in _KERNELS))
        raise TypeError(
            f"compute_mean does not take dtype {array.dtype} yet, only {supported}; convert first, "
            "for example with numpy.asarray(a, dtype=numpy.float64)"
        )
    return array


def _side_by_side(array: NDArray[Any]) -> NDArray[Any]:
    """Return the same multiset of elements (up to repetition of all) as a C-contiguous array.

    Order does not matter to an exact mean, so a dense array of any order of axes and directions
    becomes C-contiguous as a view, and an axis repeated by stride 0 counts once. Only what is left
    is copied.
    """
    if not array.flags.c_contiguous:
        once = slice(0, 1)
        forwards, backwards = slice(None), slice(None, None, -1)
        index = [once if s == 0 else backwards if s < 0 else forwards for s in array.strides]
        array = array[tuple(index)]
        array = array.transpose(sorted(range(array.ndim), key=lambda axis: -array.strides[axis]))
    return np.require(array, array.dtype.newbyteorder("="), ["C", "A"])
