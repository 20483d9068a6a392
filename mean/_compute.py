"""`compute_mean`: from anything NumPy takes to one call of the library."""

from __future__ import annotations

import math
import operator
import warnings
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, overload

import numpy as np

from mean._input import Input, as_input, as_mask, refuse_subclass
from mean._library import MeanError, Status, lib
from mean._mean_cffi import ffi

try:
    from numpy.exceptions import AxisError
except ImportError:  # before NumPy 1.25
    from numpy import AxisError  # type: ignore[attr-defined,no-redef]

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, DTypeLike, NDArray

    _Float = TypeVar("_Float", np.float16, np.float32, np.float64)


class _Dtype(NamedTuple):
    """What the library has to know of a dtype."""

    tag: int
    #: The dtype of the mean, if no other is asked for: in native byte order.
    mean: np.dtype[Any]


def _tags() -> dict[str, int]:
    """Return the library's dtypes by NumPy's names: MEAN_DTYPE_F64 is float64."""
    words = {"I": "int", "U": "uint", "F": "float", "BF": "bfloat", "C": "complex"}
    tags = {}
    for tag, name in ffi.typeof("enum mean_dtype").elements.items():
        letters = name[len("MEAN_DTYPE_") :].rstrip("0123456789")
        bits = name[len("MEAN_DTYPE_") + len(letters) :]
        tags[words.get(letters, letters.lower()) + bits] = tag
    return tags


_TAGS = _tags()
_TIME = _TAGS.pop("time64")
#: Kinds of dtypes of which some are equal and not the same: seconds, and 1000 milliseconds.
_TIMES = "mM"
#: Dtypes that were seen, since to look at one takes longer than a short mean.
_SEEN: dict[np.dtype[Any], _Dtype] = {}


def _look_at(dtype: np.dtype[Any]) -> _Dtype | None:
    """Return what there is to know of a dtype, or None if the library has no such."""
    try:
        if dtype in _SEEN:
            return _SEEN[dtype]
    except TypeError:  # not hashable
        return None
    tag = _TIME if dtype.kind in _TIMES else _TAGS.get(dtype.name)
    if tag is None:
        return None
    # Without what else the first such dtype may have carried (metadata).
    plain = np.dtype(dtype.str) if dtype.kind in "biufcmM" else dtype
    native = plain if dtype.isnative else plain.newbyteorder("=")
    mean = np.dtype(np.float64) if dtype.kind in "biu" else native
    known = _Dtype(tag if dtype.isnative else tag | lib.MEAN_DTYPE_SWAPPED, mean)
    if dtype.kind not in _TIMES:
        _SEEN[dtype] = known
    return known


def _short_cuts() -> dict[np.dtype[Any], tuple[Any, Any, Any, float, float]]:
    """Return what a native dtype's short cut needs, by the library's own names.

    The function by value, for which there is no result to allocate; the C type of its elements; the
    NumPy scalar; and the bounds between which its result is left to the long way: a subnormal
    float32 on its way through a Python float would obey this thread's flush-to-zero flags.
    """
    short_cuts = {}
    for name in dir(lib):
        if name.endswith("_or_nan"):
            call = getattr(lib, name)
            dtype = np.dtype(name[len("mean_") : -len("_or_nan")].replace("f", "float"))
            element = ffi.typeof(call).args[0].item
            smallest = 0.0 if dtype == np.float64 else float(np.finfo(dtype).tiny)
            elements = ffi.typeof(f"{element.cname}[]")
            short_cuts[dtype] = (call, elements, dtype.type, smallest, -smallest)
    return short_cuts


_SHORT_CUTS = _short_cuts()
#: To know it by its identity is faster than to look it up, and nearly always enough.
_FLOAT64, _BOOL = np.dtype(np.float64), np.dtype(np.bool_)
_OF_FLOAT64 = _SHORT_CUTS[_FLOAT64]
#: Up to so many elements that are not of C order are sooner copied than described.
_WORTH_COPYING = 1000
_from_buffer, _mean_run, _ndarray = ffi.from_buffer, lib.mean_run, np.ndarray


@overload
def compute_mean(a: NDArray[_Float]) -> _Float: ...
@overload
def compute_mean(
    a: ArrayLike,
    axis: int | tuple[int, ...] | None = None,
    dtype: DTypeLike | None = None,
    out: NDArray[Any] | None = None,
    keepdims: bool = False,
    *,
    where: ArrayLike = True,
    skipna: bool = False,
) -> Any: ...
def compute_mean(
    a: ArrayLike,
    axis: int | tuple[int, ...] | None = None,
    dtype: DTypeLike | None = None,
    out: NDArray[Any] | None = None,
    keepdims: bool = False,
    *,
    where: ArrayLike = True,
    skipna: bool = False,
) -> Any:
    """Return the mean along the given axes: the exact mean, rounded once.

    Parameters
    ----------
    a : array_like
        Truth values, integers, floats up to 64 bits, ``bfloat16``, complex numbers or times, of any
        shape, strides, byte order and alignment. Never written to, and no large array is copied as
        a whole. What a masked array masks does not count. Nulls (of pandas, pyarrow and polars) are
        an error, unless `skipna` leaves them out; a NaN in them is a number.
    axis : int or tuple of int, optional
        The axes along which the means are. By default all of them; ``()`` is none of them.
    dtype : dtype, optional
        The dtype of the result: float or complex. The exact mean is rounded to it once; `a` is not
        cast first. Not for times.
    out : numpy.ndarray, optional
        Where the result goes; it is returned. It must have the shape of the result. Without
        `dtype`, its dtype is that of the result. It may overlap `a`. It may be masked if `a` is.
    keepdims : bool, optional
        Whether the axes of the means stay, with length 1.
    where : array_like of bool, optional
        Which elements count. It broadcasts to the shape of `a`.
    skipna : bool, optional
        Whether NaNs, NaTs and nulls do not count; nor complex numbers of which either part is NaN.

    Returns
    -------
    numpy.ndarray or NumPy scalar
        RN((x_1 + ... + x_n) / n), to nearest, ties to even: float64 for integers and truth values,
        else the dtype of `a` in native byte order. Times are rounded to their unit. It depends on
        the numbers alone: not on their order or layout, nor on the machine. Where no element counts
        it is NaN or NaT; of a masked array it is masked instead.

    Raises
    ------
    MeanError
        Where `a` has no elements and the result has some, or shapes do not go together. A
        `ValueError`.
    ValueError
        Where `a` has nulls and `skipna` is not set; or where `out` cannot be written to.
    numpy.exceptions.AxisError
        Where `a` has no such axis.
    TypeError
        Where there is no mean of that dtype, or no result of that dtype; where `a` is or holds
        what means more than its numbers (a unit, a time zone, a mask in a list); or where NumPy
        would round the integers in a list to make floats of them.

    Warns
    -----
    RuntimeWarning
        Once, where no element counts in some means, or where a mean is beyond the largest number of
        a narrower `dtype`.

    Notes
    -----
    A NaN, or +inf and -inf together, give NaN; one kind of infinity gives that infinity. Nothing
    else overflows on the way. An exact zero is +0.0. The parts of complex numbers are averaged
    separately.

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
    >>> print(compute_mean([[1, 2], [3, 5]], axis=0))
    [2.  3.5]
    >>> print(compute_mean([1.0, np.nan, 4.0], skipna=True))
    2.5
    """
    if not (type(a) is _ndarray and dtype is None and out is None):
        return _reduce(a, axis, dtype, out, keepdims, where, skipna)
    if where is True and not skipna:
        if axis is None and not keepdims:
            to_copy = False
            try:
                short_cut = _OF_FLOAT64 if a.dtype is _FLOAT64 else _SHORT_CUTS.get(a.dtype)
                if short_cut is not None:
                    call, element_type, scalar, least, most_negative = short_cut
                    mean = call(_from_buffer(element_type, a), a.size)
                    if mean >= least or mean <= most_negative:  # so neither NaN nor an error
                        return scalar(mean)
            except TypeError:  # no hash
                pass
            except ValueError:  # not of C order
                to_copy = a.size <= _WORTH_COPYING
            return compute_mean(np.ascontiguousarray(a)) if to_copy else _by_plan(a, None, False)
        if type(axis) is int and (keepdims is False or keepdims is True):
            try:
                data = _from_buffer(a)
                plans = _PLANS[a.shape, a.dtype, axis, keepdims]
                plan = plans.pop()
            except (KeyError, IndexError, TypeError, ValueError):  # no such plan, no C order ...
                plan = None
            if plan is None:
                return _by_plan(a, axis, keepdims)
            means = plan.means(data)
            plans.append(plan)
            return means
    elif (
        (axis is None or type(axis) is int)
        and (keepdims is False or keepdims is True)
        and (
            where is True
            or (type(where) is _ndarray and where.dtype is _BOOL and where.shape == a.shape)
        )
    ):
        return _by_plan(a, axis, keepdims, where, bool(skipna))
    return _reduce(a, axis, dtype, out, keepdims, where, skipna)


compute_mean.__module__ = "mean"  # where users find it


class _Plan:
    """All of a call on an array, but where that array is, and its mask, if it has one."""

    def __init__(
        self,
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        axis: int | None,
        keepdims: bool,
        strides: tuple[int, ...] | None = None,
        skipna: bool = False,
        masked: bool = False,
        strides_of_mask: tuple[int, ...] | None = None,
    ) -> None:
        known = _look_at(dtype)
        if known is None:
            raise _no_mean_of(dtype)
        axes = _axes(axis, len(shape))
        self.shape = shape
        result_shape = _result_shape(shape, axes, keepdims)
        self.array, *alive = _describe(shape, strides, known.tag)
        self.out, *alive_too = _describe(result_shape, None, _tag_of_result(known.mean))
        self.mask, *alive_as_well = (
            _describe(shape, strides_of_mask, _TAGS["bool"]) if masked else [ffi.NULL]
        )
        #: In how many means no element counts.
        self.empty = ffi.new("size_t *")
        self.reduction = ffi.new(
            _REDUCTION,
            {
                "array": self.array,
                "mask": self.mask,
                "axes": axes,
                "flags": lib.MEAN_SKIP_NAN if skipna else 0,
                "out": self.out,
                "empty_cells": self.empty if skipna or masked else ffi.NULL,
            },
        )
        self.alive = alive, alive_too, alive_as_well
        # Many means go to an array of the caller's own.
        self.new: Callable[[], NDArray[Any]] = partial(np.empty, result_shape, known.mean)
        # Few go to one of the plan's, of which to make a copy is faster; and without axes a scalar.
        self.copy: Callable[[], Any] | None = None
        if math.prod(result_shape) <= _MOST_COPIED:
            result = self.new()
            self.out.data = _from_buffer(result)
            self.copy = result.__copy__ if result.ndim else partial(result.__getitem__, ())

    def means(self, data: Any, mask: Any = None) -> Any:
        """Return the means of the array that begins at `data`, and its mask at `mask`."""
        self.array.data = data
        if mask is not None:
            self.mask.data = mask
        if self.copy is None:
            result = self.new()
            self.out.data = _from_buffer(result)
        status = _mean_run(self.reduction)
        if status:
            raise _refused(status, self.shape, None if mask is None else self.shape)
        return result if self.copy is None else self.copy()


#: By what makes them, the plans that no call is using: to make one takes longer than a short mean.
#: Some megabytes at most.
_PLANS: dict[Any, list[_Plan]] = {}
_MOST_PLANS, _MOST_COPIED = 1000, 64
_EMPTY = "Mean of empty slice"
#: Of an axis, the first element.
_FIRST = (slice(1),)


def _by_plan(
    a: NDArray[Any], axis: int | None, keepdims: bool, where: Any = True, skipna: bool = False
) -> Any:
    """Return the means along one axis or all of them, by a plan that is used again.

    `where` is True, or an array of truth values of the shape of `a`.
    """
    key: Any = a.shape, a.dtype, axis, keepdims
    mask = strides_of_mask = None
    try:
        data, strides = _place(a)
        if where is not True:
            mask, strides_of_mask = _place(where)
        if strides is not None or mask is not None or skipna:
            key = (*key, strides, skipna, mask is not None, strides_of_mask)
        plans = _PLANS.get(key)
    except (TypeError, ValueError):  # not hashable, no buffer
        data = None
    if data is None or (plans is None and a.dtype.kind in _TIMES):  # which have none
        return _reduce(a, axis, None, None, keepdims, where, skipna, stacklevel=4)
    try:
        plan = plans.pop() if plans else None
    except IndexError:  # another thread was faster
        plan = None
    plan = plan or _Plan(*key)
    # (`data` and `mask` hold the arrays' memory until the call has returned.)
    means, empty = plan.means(data, mask), plan.empty[0]
    if plans is None:
        if len(_PLANS) >= _MOST_PLANS:
            _PLANS.clear()
        plans = _PLANS.setdefault(key, [])
    plans.append(plan)
    if empty:
        warnings.warn(_EMPTY, RuntimeWarning, stacklevel=3)
    return means


def _place(a: NDArray[Any]) -> tuple[Any, tuple[int, ...] | None]:
    """Return where an array begins, and its strides unless it is of C order."""
    if a.flags.c_contiguous:
        return _from_buffer(a), None
    # A view of the first element alone is of C order, and begins where all of them do.
    return _from_buffer(a[_FIRST * a.ndim]), a.strides


def _reduce(
    a: ArrayLike,
    axis: int | tuple[int, ...] | None,
    dtype: DTypeLike | None,
    out: NDArray[Any] | None,
    keepdims: bool,
    where: ArrayLike,
    skipna: bool,
    stacklevel: int = 3,
) -> Any:
    """Return what `compute_mean` promises, by one call of the library."""
    given = as_input(a)
    array = given.array
    known = _look_at(array.dtype)
    if known is None:
        raise _no_mean_of(array.dtype)
    axes = _axes(axis, array.ndim)
    shape = _result_shape(array.shape, axes, keepdims)
    if out is not None:
        _check_out(out, shape, masked=given.masked)
    result_dtype = _result_dtype(array.dtype, known.mean, dtype, out)
    mask = _what_counts(given, where, skipna)
    # A mean of real numbers is real, whatever it becomes.
    part = result_dtype
    if result_dtype.kind == "c" != array.dtype.kind:
        part = np.dtype(f"f{result_dtype.itemsize // 2}")
    result: NDArray[Any] = np.empty(shape, part)
    status, empty = _call(array, known.tag, mask, axes, bool(skipna), result)
    if status:
        raise _refused(status, array.shape, None if mask is None else mask.shape)
    shows_masks = given.masked and (out is None or isinstance(out, np.ma.MaskedArray))
    if empty and not shows_masks:
        warnings.warn(_EMPTY, RuntimeWarning, stacklevel=stacklevel)
    if part != known.mean and _overflows(result, known, array, mask, axes, skipna):
        warnings.warn(
            f"overflow in compute_mean: a mean is beyond the largest {part}",
            RuntimeWarning,
            stacklevel=stacklevel,
        )
    if part is not result_dtype:
        result = result.astype(result_dtype)
    if shows_masks:
        unmasked = np.ma.nomask if given.valid is None else False
        gone = _where_none(array, mask, axes, keepdims, skipna) if empty else unmasked
        result = np.ma.MaskedArray(result, gone)
    if out is not None:
        (out if shows_masks else np.asarray(out))[...] = result
        return out
    return result if result.ndim else result[()]


def _call(
    array: NDArray[Any],
    tag: int,
    mask: NDArray[Any] | None,
    axes: int,
    skipna: bool,
    result: NDArray[Any],
) -> tuple[int, int]:
    """Return the library's status, and in how many means no element counts."""
    described, *_alive = _describe_array(array, tag)
    out, *_out_alive = _describe_array(result, _tag_of_result(result.dtype))
    flags = lib.MEAN_SKIP_NAN if skipna else 0
    if mask is None and not skipna:
        return lib.mean_reduce(described, ffi.NULL, axes, flags, out, ffi.NULL), 0
    where, *_mask_alive = (ffi.NULL,) if mask is None else _describe_array(mask, _TAGS["bool"])
    empty = ffi.new("size_t *")
    status = lib.mean_reduce(described, where, axes, flags, out, empty)
    return status, empty[0]


_ARRAY, _REDUCTION = ffi.typeof("mean_array *"), ffi.typeof("mean_reduction *")
_SHAPE, _STRIDES = ffi.typeof("size_t[]"), ffi.typeof("ptrdiff_t[]")


def _describe(shape: tuple[int, ...], strides: tuple[int, ...] | None, tag: int) -> tuple[Any, ...]:
    """Return a `mean_array` that is nowhere yet, and what must live as long as it."""
    shape_in_c = ffi.new(_SHAPE, shape)
    strides_in_c = ffi.NULL if strides is None else ffi.new(_STRIDES, strides)
    described = ffi.new(_ARRAY, [ffi.NULL, tag, len(shape), shape_in_c, strides_in_c])
    return described, shape_in_c, strides_in_c


def _describe_array(array: NDArray[Any], tag: int) -> tuple[Any, ...]:
    """Return a `mean_array`, and what must live as long as it."""
    strides = None if array.flags.c_contiguous else array.strides
    described, *alive = _describe(array.shape, strides, tag)
    described.data = ffi.cast("void *", array.__array_interface__["data"][0])
    return described, *alive, array


def _tag_of_result(dtype: np.dtype[Any]) -> int:
    known = _look_at(dtype)
    assert known is not None  # the library has a tag for what it makes
    return known.tag


def _result_shape(shape: tuple[int, ...], axes: int, keepdims: bool) -> tuple[int, ...]:
    if keepdims:
        return tuple(1 if axes >> k & 1 else n for k, n in enumerate(shape))
    return tuple(n for k, n in enumerate(shape) if not axes >> k & 1)


def _axes(axis: int | tuple[int, ...] | None, ndim: int) -> int:
    """Return the axes as bits, counted from the first one."""
    if axis is None:
        return (1 << ndim) - 1
    bits = 0
    for one in axis if isinstance(axis, tuple) else (axis,):
        if isinstance(one, (bool, np.bool_)):
            raise TypeError(f"axis must be an integer or a tuple of them, not {axis}")
        k = operator.index(one)
        if not -ndim <= k < ndim:
            raise AxisError(k, ndim)
        if bits >> k % ndim & 1:
            raise ValueError(f"duplicate value in 'axis': {axis}")
        bits |= 1 << k % ndim
    return bits


def _check_out(out: object, shape: tuple[int, ...], *, masked: bool) -> None:
    if not isinstance(out, np.ndarray):
        raise TypeError(f"out must be a numpy.ndarray, not {type(out).__name__}")
    if masked and type(out) is np.ma.MaskedArray:
        refuse_subclass(out.data)
        if out.hardmask:
            raise ValueError("out has a hard mask, which hides means; call out.soften_mask()")
    else:
        refuse_subclass(out)
    if not out.flags.writeable:
        raise ValueError("out is read-only; pass an array that can be written to")
    if out.shape != shape:
        detail = f"got out of shape {out.shape} for a result of shape {shape}"
        raise MeanError(Status.BAD_SHAPE, detail)


def _result_dtype(
    of: np.dtype[Any], default: np.dtype[Any], dtype: DTypeLike | None, out: NDArray[Any] | None
) -> np.dtype[Any]:
    """Return the dtype to round to, in native byte order."""
    if dtype is None and out is None:
        return default
    if dtype is None:
        assert out is not None
        wanted = out.dtype if out.dtype.isnative else out.dtype.newbyteorder("=")
        if not np.can_cast(default, wanted, "same_kind"):
            raise TypeError(f"out has dtype {out.dtype}, to which no {default} can be cast")
    else:
        wanted = np.dtype(dtype)
        wanted = wanted if wanted.isnative else wanted.newbyteorder("=")
        if out is not None and not np.can_cast(wanted, out.dtype, "safe"):
            raise TypeError(f"out has dtype {out.dtype}, which does not hold every {wanted}")
    if of.kind in _TIMES:
        if wanted != default or dtype is not None:
            raise TypeError(
                f"the mean of {of} is {default}, and has no other dtype; convert the result instead"
            )
        return wanted
    known = _look_at(wanted)
    if known is None or known.mean != wanted or wanted.kind in _TIMES:
        raise TypeError(
            f"a mean of dtype {wanted} is not supported; it may be float16, float32, float64, "
            "complex64 or complex128: convert the result instead"
        )
    if of.kind == "c" != wanted.kind:
        raise TypeError(
            f"the mean of {of} is complex, and {wanted} is not; pass a.real to average that"
        )
    return wanted


def _what_counts(given: Input, where: ArrayLike, skipna: bool) -> NDArray[np.bool_] | None:
    """Return a mask that broadcasts to the array, or None."""
    if given.valid is not None and not given.masked and not skipna:
        nulls = given.valid.size - np.count_nonzero(given.valid)
        raise ValueError(
            f"{nulls} of {given.valid.size} elements are null; pass skipna=True to leave them out, "
            "or fill them"
        )
    if where is True:
        return given.valid
    mask = as_mask(where)
    if given.valid is None:
        return mask
    try:
        return given.valid & np.broadcast_to(mask, given.valid.shape)
    except ValueError:
        return mask  # which the library refuses by its shape


def _where_none(
    array: NDArray[Any],
    mask: NDArray[np.bool_] | None,
    axes: int,
    keepdims: bool,
    skipna: bool,
) -> NDArray[np.bool_]:
    """Return in which means no element counts."""
    counts = np.broadcast_to(np.True_ if mask is None else mask, array.shape)
    if skipna:
        counts = counts & ~np.isnan(array)
    along = tuple(k for k in range(array.ndim) if axes >> k & 1)
    return np.asarray(~counts.any(axis=along, keepdims=keepdims))


def _overflows(
    result: NDArray[Any],
    known: _Dtype,
    array: NDArray[Any],
    mask: NDArray[Any] | None,
    axes: int,
    skipna: bool,
) -> bool:
    """Whether a mean is infinite only since its dtype is narrower than the elements'."""
    if not np.isinf(result).any():
        return False
    wide: NDArray[Any] = np.empty(result.shape, known.mean)
    _call(array, known.tag, mask, axes, bool(skipna), wide)
    return bool((np.isinf(result.real) & np.isfinite(wide.real)).any()) or bool(
        (np.isinf(result.imag) & np.isfinite(wide.imag)).any()
    )


def _refused(
    status: int, shape: tuple[int, ...], shape_of_mask: tuple[int, ...] | None
) -> MeanError:
    got = f"got an array of shape {shape}"
    if shape_of_mask is not None:
        got += f" and a mask of shape {shape_of_mask}"
    return MeanError(Status(status), got)


def _no_mean_of(dtype: np.dtype[Any]) -> TypeError:
    way_out = (
        "convert first, for example with numpy.asarray(a, dtype=numpy.float64)"
        if dtype.kind in "fcO"
        else "pass an array of numbers or times"
    )
    return TypeError(
        f"compute_mean does not take dtype {dtype}, only {', '.join(_TAGS)}, timedelta64 and "
        f"datetime64; {way_out}"
    )
