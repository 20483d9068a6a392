"""`compute_mean`: from anything NumPy takes to one call of the library."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast, overload

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
    size: int


def _kernels() -> dict[tuple[str, int], _Kernel]:
    """Return the kernels by the kind and item size of a dtype, which no byte order changes.

    The library's own names say which there are: mean_f64 takes float64.
    """
    kernels = {}
    for name in dir(lib):
        kind, bits = name[len("mean_") :][:1], name[len("mean_") + 1 :]
        if name.startswith("mean_") and bits.isdigit():
            function, size = getattr(lib, name), int(bits) // 8
            element = ffi.typeof(function).args[0].item
            kernels[kind, size] = _Kernel(function, ffi.typeof(f"{element.cname}[]"), size)
    return kernels


def _short_cuts() -> dict[np.dtype[Any], tuple[Any, Any, Any, float, float]]:
    """Return what a native dtype's short cut needs, by the library's own names.

    The function by value, for which there is no result to allocate; the C type of its elements; the
    NumPy scalar; and the bounds between which its result is left to the long way: a subnormal
    float32 on its way through a Python float would obey this thread's flush-to-zero flags.
    """
    short_cuts = {}
    for (kind, size), kernel in _KERNELS.items():
        name, dtype = f"mean_{kind}{8 * size}_or_nan", np.dtype(f"{kind}{size}")
        if name in dir(lib):
            smallest = 0.0 if dtype == np.float64 else float(np.finfo(dtype).tiny)
            call = getattr(lib, name)
            short_cuts[dtype] = (call, kernel.elements, dtype.type, smallest, -smallest)
    return short_cuts


_KERNELS = _kernels()
_SHORT_CUTS = _short_cuts()
_from_buffer, _ndarray = ffi.from_buffer, np.ndarray


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
        copied only where its elements do not lie side by side, aligned and in native byte order.

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

    The sum goes through anchored float64 windows [1]_, whose bits are exact integers, with a bound
    on what they drop; the mean is proved by rounding both ends of that interval [2]_. What cannot
    be proved so is summed exactly in integer digits [3]_.

    References
    ----------
    .. [1] S. M. Rump, T. Ogita, S. Oishi, "Accurate floating-point summation part I: faithful
       rounding", SIAM J. Sci. Comput. 31 (2008).
    .. [2] A. Ziv, "Fast evaluation of elementary mathematical functions with correctly rounded last
       bit", ACM Trans. Math. Softw. 17 (1991).
    .. [3] R. M. Neal, "Fast exact summation using small and large superaccumulators", 2015,
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
    if type(a) is _ndarray:
        try:
            call, element_type, scalar, least, most_negative = _SHORT_CUTS[a.dtype]
            elements = _from_buffer(element_type, a)
            mean = call(elements, len(elements))
            if mean >= least or mean <= most_negative:  # so neither NaN nor an error
                result: np.floating[Any] = scalar(mean)
                return result
        except (KeyError, TypeError, ValueError):  # no such dtype (or no hash), not C-contiguous
            pass
    return _mean_of_any(a)


compute_mean.__module__ = "mean"  # where users find it


def _mean_of_any(a: ArrayLike) -> np.floating[Any]:
    """Return the mean of anything that NumPy takes, in whatever layout."""
    array = _as_array(a)
    native = _side_by_side(array)
    kernel = _KERNELS[native.dtype.kind, native.dtype.itemsize]
    elements = ffi.from_buffer(kernel.elements, native)
    # NumPy's memory, and not a C double by way of a Python float: converting a float32 would obey
    # this thread's flush-to-zero flags.
    result: NDArray[Any] = np.empty((), native.dtype)
    out = ffi.from_buffer(kernel.elements, result)
    status = kernel.call(elements, len(elements), kernel.size, out)
    if status:
        raise MeanError(Status(status), f"got an array of shape {array.shape}")
    return cast("np.floating[Any]", result[()])


def _as_array(a: ArrayLike) -> NDArray[Any]:
    """Return `a` as an array of a dtype that has a kernel in some byte order."""
    array = np.asanyarray(a)
    _refuse_subclasses(array)
    _refuse_subclasses(a)
    array = np.asarray(array)
    if (array.dtype.kind, array.dtype.itemsize) not in _KERNELS:
        supported = ", ".join(np.dtype(f"{kind}{size}").name for kind, size in sorted(_KERNELS))
        way_out = (
            "convert first, for example with numpy.asarray(a, dtype=numpy.float64)"
            if array.dtype.kind in "biuf"
            else "pass an array of real numbers"
        )
        raise TypeError(
            f"compute_mean does not take dtype {array.dtype} yet, only {supported}; {way_out}"
        )
    return array


def _refuse_subclasses(a: object) -> None:
    """Raise TypeError where `a` is an array that means more than its numbers, or holds one."""
    if isinstance(a, np.ndarray) and type(a) not in (np.ndarray, np.memmap, np.matrix):
        raise TypeError(
            f"compute_mean does not take {type(a).__module__}.{type(a).__name__}, whose mask, unit "
            "or other meaning the mean would lose; pass the numbers that are meant, for example "
            "a.compressed() of a masked array or numpy.asarray(a) of another"
        )
    if isinstance(a, (list, tuple)):
        for item in a:
            if isinstance(item, (list, tuple, np.ndarray)):
                _refuse_subclasses(item)


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
