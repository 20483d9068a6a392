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
    plain = np.dtype(dtype.str if dtype.kind in "biufcmM" else dtype.type)
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
_WORTH_COPYING = 4000
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
    some = None
    if type(a) is not _ndarray:
        given = as_input(a)
        a = given.array
        if given.masked or given.valid is not None:
            some = given
    if some is None and where is True and not skipna and dtype is None and out is None:
        data = strides = plan = None
        if axis is None and not keepdims:
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
                if a.size <= _WORTH_COPYING:
                    return compute_mean(np.ascontiguousarray(a))
                data, strides = _place(a)
        if (axis is None or type(axis) is int) and (keepdims is False or keepdims is True):
            name = a.dtype
            try:
                if data is None:
                    data = _from_buffer(a)
            except (TypeError, ValueError):  # not of C order, or no dtype of buffers
                data, strides = _place(a)
                name = _name(name)
            try:
                plans = _PLANS[a.shape, name, axis, keepdims, strides, False, None, None, None]
                plan = plans.pop()
            except (KeyError, IndexError, TypeError):  # no such plan, or no hash
                pass
            if plan is not None:
                means = plan.means(data)
                result = means if plan.finish is None else plan.finish(means)
                plans.append(plan)
                return result
    if some is None:
        mask = None
        if where is not True:
            mask = where if type(where) is _ndarray and where.dtype is _BOOL else as_mask(where)
        means, complaints = _means(a, mask, axis, dtype, out, keepdims, skipna)
    else:
        means, complaints = _means_of_some(some, axis, dtype, out, keepdims, where, skipna)
    for complaint in complaints:
        warnings.warn(complaint, RuntimeWarning, stacklevel=2)
    return means


compute_mean.__module__ = "mean"  # where users find it


class _Plan:
    """All of a call on an array, but where that array is, and its mask, if it has one."""

    def __init__(
        self,
        shape: tuple[int, ...],
        dtype: DTypeLike,
        axis: int | tuple[int, ...] | None,
        keepdims: bool,
        strides: tuple[int, ...] | None,
        skipna: bool,
        mask: tuple[tuple[int, ...], tuple[int, ...] | None] | None,
        wanted: np.dtype[Any] | None,
        out: tuple[tuple[int, ...], DTypeLike] | None,
    ) -> None:
        dtype = np.dtype(dtype)
        known = _look_at(dtype)
        if known is None:
            raise _no_mean_of(dtype)
        axes = _axes(axis, len(shape))
        result_shape, result_dtype = _result_shape(shape, axes, keepdims), known.mean
        if out is not None and out[0] != result_shape:
            detail = f"got out of shape {out[0]} for a result of shape {result_shape}"
            raise MeanError(Status.BAD_SHAPE, detail)
        if not (wanted is None and out is None):
            of_out = None if out is None else np.dtype(out[1])
            result_dtype = _result_dtype(dtype, known.mean, wanted, of_out)
        # A mean of real numbers is real, whatever it becomes.
        part = result_dtype
        if result_dtype.kind == "c" != dtype.kind:
            part = np.dtype(f"f{result_dtype.itemsize // 2}")
        #: Of the means, if it is another than without `wanted` and `out`.
        self.other_dtype = None if part == known.mean else part
        self.shape, self.shape_of_mask = shape, None if mask is None else mask[0]
        self.array, *alive = _describe(shape, strides, known.tag)
        self.out, *alive_too = _describe(result_shape, None, _tag_of_result(part))
        self.mask, *alive_as_well = [ffi.NULL] if mask is None else _describe(*mask, _TAGS["bool"])
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
                "empty_cells": self.empty if skipna or mask is not None else ffi.NULL,
            },
        )
        self.alive = alive, alive_too, alive_as_well
        self.new: Callable[[], NDArray[Any]] = partial(np.empty, result_shape, part)
        #: Few means go to an array of the plan's own, of which to make a copy is faster.
        self.few = self.new() if math.prod(result_shape) <= _MOST_COPIED else None
        if self.few is not None:
            self.out.data = _begin(self.few)
        #: Makes the result of an array of means, if that is not the result.
        self.finish: Callable[[NDArray[Any]], Any] | None = None
        if part != result_dtype:
            self.finish = partial(_cast, result_dtype)
        elif not result_shape:
            self.finish = operator.itemgetter(())
        elif self.few is not None:
            self.finish = _ndarray.__copy__

    def means(self, data: Any, mask: Any = None) -> NDArray[Any]:
        """Return the means of the array that begins at `data`, and its mask at `mask`.

        They may be overwritten when the plan is used again.
        """
        self.array.data = data
        if mask is not None:
            self.mask.data = mask
        means = self.few
        if means is None:
            means = self.new()
            self.out.data = _begin(means)
        status = _mean_run(self.reduction)
        if status:
            raise _refused(status, self.shape, self.shape_of_mask)
        return means


#: By what makes them, the plans that no call is using: to make one takes longer than a short mean.
#: Some megabytes at most.
_PLANS: dict[Any, list[_Plan]] = {}
_MOST_PLANS, _MOST_COPIED = 1000, 64
_EMPTY = "Mean of empty slice"
#: Of an axis, the first element.
_FIRST = (slice(1),)


def _means(
    a: NDArray[Any],
    mask: NDArray[np.bool_] | None,
    axis: int | tuple[int, ...] | None,
    dtype: DTypeLike | None,
    out: NDArray[Any] | None,
    keepdims: bool,
    skipna: bool,
) -> tuple[Any, list[str]]:
    """Return what `compute_mean` promises of the elements that count, and what to warn of."""
    # First what may call methods of the caller's, which may do anything, even to the array.
    wanted = None if dtype is None else np.dtype(dtype)
    axis, keepdims, skipna = _plain_axis(axis), bool(keepdims), bool(skipna)
    mask_data = of_mask = of_out = None
    if out is not None:
        _check_out(out)
        of_out = out.shape, _name(out.dtype)
    if mask is not None:
        mask_data, mask_strides = _place(mask)
        of_mask = mask.shape, mask_strides
    data, strides = _place(a)
    key = (a.shape, _name(a.dtype), axis, keepdims, strides, skipna, of_mask, wanted, of_out)
    plan = None
    try:
        plans = _PLANS.get(key)
        if plans:
            plan = plans.pop()
    except IndexError:  # another thread was faster
        pass
    except TypeError:  # not hashable: such dtypes are refused
        plans = []
    plan = plan or _Plan(*key)
    # (`a` and `mask` hold their memory until the call has returned.)
    means = plan.means(data, mask_data)
    complaints = []
    if plan.empty[0]:
        complaints.append(_EMPTY)
    if plan.other_dtype is not None and np.count_nonzero(np.isinf(means)):
        # Only since that dtype is narrower than the elements'?
        wide = np.asarray(_means(a, mask, axis, None, None, keepdims, skipna)[0])
        if _overflows(means.real, wide.real) or _overflows(means.imag, wide.imag):
            complaints.append(
                f"overflow in compute_mean: a mean is beyond the largest {plan.other_dtype}"
            )
    result: Any = out
    if out is None:
        result = means if plan.finish is None else plan.finish(means)
    else:
        np.asarray(out)[...] = means
    if plans is None:
        if len(_PLANS) >= _MOST_PLANS:
            _PLANS.clear()
        plans = _PLANS.setdefault(key, [])
    plans.append(plan)
    return result, complaints


def _means_of_some(
    given: Input,
    axis: int | tuple[int, ...] | None,
    dtype: DTypeLike | None,
    out: NDArray[Any] | None,
    keepdims: bool,
    where: ArrayLike,
    skipna: bool,
) -> tuple[Any, list[str]]:
    """Return the same of an array that is masked or has nulls."""
    array, mask = given.array, _what_counts(given, where, skipna)
    if not given.masked or not (out is None or isinstance(out, np.ma.MaskedArray)):
        return _means(array, mask, axis, dtype, out, keepdims, skipna)
    plain = None
    if out is not None:
        _check_out(out, masked=True)
        plain = np.empty(out.shape, out.dtype)
    means, complaints = _means(array, mask, axis, dtype, plain, keepdims, skipna)
    gone: Any = np.ma.nomask if given.valid is None else False
    if _EMPTY in complaints:
        complaints.remove(_EMPTY)
        gone = _where_none(array, mask, axis, keepdims, skipna)
    result = np.ma.MaskedArray(means, gone)
    if out is not None:
        out[...] = result
        return out, complaints
    return result if result.ndim else result[()], complaints


def _place(a: NDArray[Any]) -> tuple[Any, tuple[int, ...] | None]:
    """Return where an array begins, and its strides unless it is of C order."""
    if a.flags.c_contiguous:
        return _begin(a), None
    # A view of the first element alone is of C order, and begins where all of them do.
    return _begin(a[_FIRST * a.ndim]), a.strides


def _name(dtype: np.dtype[Any]) -> Any:
    """Return what tells a dtype from equal ones that are not the same: times of other units."""
    return dtype.str if dtype.kind in _TIMES else dtype


def _begin(a: NDArray[Any]) -> Any:
    """Return where an array of C order begins."""
    try:
        return _from_buffer(a)
    except (TypeError, ValueError):  # of a dtype that Python's buffers do not know
        return ffi.cast("void *", a.__array_interface__["data"][0])


def _cast(dtype: np.dtype[Any], means: NDArray[Any]) -> Any:
    result = means.astype(dtype)
    return result if result.ndim else result[()]


def _overflows(narrow: NDArray[Any], wide: NDArray[Any]) -> bool:
    return bool((np.isinf(narrow) & np.isfinite(wide)).any())


_ARRAY, _REDUCTION = ffi.typeof("mean_array *"), ffi.typeof("mean_reduction *")
_SHAPE, _STRIDES = ffi.typeof("size_t[]"), ffi.typeof("ptrdiff_t[]")


def _describe(shape: tuple[int, ...], strides: tuple[int, ...] | None, tag: int) -> tuple[Any, ...]:
    """Return a `mean_array` that is nowhere yet, and what must live as long as it."""
    shape_in_c = ffi.new(_SHAPE, shape)
    strides_in_c = ffi.NULL if strides is None else ffi.new(_STRIDES, strides)
    described = ffi.new(_ARRAY, [ffi.NULL, tag, len(shape), shape_in_c, strides_in_c])
    return described, shape_in_c, strides_in_c


def _tag_of_result(dtype: np.dtype[Any]) -> int:
    known = _look_at(dtype)
    assert known is not None  # the library has a tag for what it makes
    return known.tag


def _result_shape(shape: tuple[int, ...], axes: int, keepdims: bool) -> tuple[int, ...]:
    if keepdims:
        return tuple(1 if axes >> k & 1 else n for k, n in enumerate(shape))
    return tuple(n for k, n in enumerate(shape) if not axes >> k & 1)


def _plain_axis(axis: Any) -> int | tuple[int, ...] | None:
    """Return Python's own integers: of truth values, which equal some, there is no axis."""
    if axis is None or type(axis) is int:
        return axis
    plain = []
    for one in axis if isinstance(axis, tuple) else (axis,):
        if isinstance(one, (bool, np.bool_)):
            raise TypeError(f"axis must be an integer or a tuple of them, not {axis}")
        plain.append(operator.index(one))
    return tuple(plain)


def _axes(axis: int | tuple[int, ...] | None, ndim: int) -> int:
    """Return the axes as bits, counted from the first one."""
    if axis is None:
        return (1 << ndim) - 1
    bits = 0
    for k in axis if isinstance(axis, tuple) else (axis,):
        if not -ndim <= k < ndim:
            raise AxisError(k, ndim)
        if bits >> k % ndim & 1:
            raise ValueError(f"duplicate value in 'axis': {axis}")
        bits |= 1 << k % ndim
    return bits


def _check_out(out: object, *, masked: bool = False) -> None:
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


def _result_dtype(
    of: np.dtype[Any],
    default: np.dtype[Any],
    dtype: np.dtype[Any] | None,
    out: np.dtype[Any] | None,
) -> np.dtype[Any]:
    """Return the dtype to round to, in native byte order, where one or both are given."""
    wanted = out if dtype is None else dtype
    assert wanted is not None
    wanted = wanted if wanted.isnative else wanted.newbyteorder("=")
    if dtype is None and not np.can_cast(default, wanted, "same_kind"):
        raise TypeError(f"out has dtype {out}, to which no {default} can be cast")
    if dtype is not None and out is not None and not np.can_cast(wanted, out, "safe"):
        raise TypeError(f"out has dtype {out}, which does not hold every {wanted}")
    if of.kind in _TIMES:
        # (By name: whether 1000 milliseconds are equal to seconds is not the same in all NumPys.)
        if wanted.str != default.str or dtype is not None:
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
    return known.mean  # without what else `dtype` may carry: an equal one may have made the plan


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
    axis: int | tuple[int, ...] | None,
    keepdims: bool,
    skipna: bool,
) -> NDArray[np.bool_]:
    """Return in which means no element counts."""
    counts = np.broadcast_to(np.True_ if mask is None else mask, array.shape)
    if skipna:
        counts = counts & ~np.isnan(array)
    return np.asarray(~counts.any(axis=axis, keepdims=bool(keepdims)))


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
