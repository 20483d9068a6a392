"""What `compute_mean` is given, as an array of numbers and which of them count.

Other libraries' objects are known by the name of their class's module: none is imported that the
caller has not imported.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


class Input(NamedTuple):
    """An array, and which of its elements there are."""

    array: NDArray[Any]
    #: Of the array's shape, or None: all of them.
    valid: NDArray[np.bool_] | None = None
    #: Whether the others are masked (`numpy.ma`), and not null.
    masked: bool = False


def as_input(a: ArrayLike) -> Input:
    """Return what is given, without a copy where NumPy needs none."""
    if isinstance(a, np.ndarray):
        return _of_masked(a) if isinstance(a, np.ma.MaskedArray) else _of_array(a)
    if type(a) in (list, tuple):  # type: ignore[comparison-overlap]
        return _of_sequence(a)
    for base in type(a).__mro__:
        name = str(base.__module__).partition(".")[0]
        if name in _ADAPTERS and name in sys.modules:
            given = _ADAPTERS[name](a)
            if given is not None:
                return given
    if isinstance(a, Mapping):
        raise _refusal(a, "NumPy would take its keys: pass the values as a list")
    return _of_sequence(a) if _is_nested(a) else _of_array(np.asanyarray(a))


def as_mask(where: ArrayLike) -> NDArray[np.bool_]:
    """Return which elements are to count."""
    given = as_input(where)
    if given.masked:
        raise _refusal(where, "a mask may not be masked itself: pass where.filled(False) or (True)")
    if given.array.dtype != np.bool_:
        raise TypeError(
            f"where must be boolean, not {given.array.dtype}; compare first: where=w != 0"
        )
    if given.valid is not None:
        raise ValueError("where has nulls; fill them first, with true or false")
    return given.array


def refuse_subclass(a: NDArray[Any]) -> None:
    """Raise TypeError where an array means more than its numbers."""
    if type(a) not in (np.ndarray, np.memmap, np.matrix):
        raise _refusal(
            a,
            "the mean would lose its mask, unit or other meaning: pass the numbers that are meant, "
            "for example a.compressed() of a masked array or numpy.asarray(a) of another",
        )


def _refusal(a: object, why: str) -> TypeError:
    return TypeError(f"compute_mean does not take {type(a).__module__}.{type(a).__name__}; {why}")


def _of_array(array: NDArray[Any]) -> Input:
    refuse_subclass(array)
    return Input(np.asarray(array))


def _of_masked(array: np.ma.MaskedArray[Any, Any]) -> Input:
    if type(array) not in (np.ma.MaskedArray, type(np.ma.masked)):
        refuse_subclass(array)
    data = _of_array(array.data).array
    mask = np.ma.getmask(array)
    if mask is np.ma.nomask or data.dtype.names is not None:  # structures are refused later
        return Input(data, masked=True)
    return Input(data, ~np.asarray(mask), masked=True)


# Sequences: NumPy looks at them item by item, and would strip items of their masks and nulls.

#: The most axes that NumPy makes of lists within lists.
_MAX_DEPTH = 64
_SCALARS = (int, float, complex, np.generic, str, bytes)


def _is_nested(a: object) -> bool:
    """Whether NumPy makes an array of the items of `a`, one by one."""
    of_items = hasattr(a, "__len__") and hasattr(a, "__getitem__") and not isinstance(a, _SCALARS)
    return of_items and not _is_array_like(a)


def _is_array_like(a: object) -> bool:
    if any(hasattr(a, name) for name in ("__array__", "__array_interface__", "__array_struct__")):
        return True
    try:
        memoryview(a)  # type: ignore[arg-type]
    except (TypeError, ValueError, BufferError):
        return False
    return True


def _of_sequence(a: Any) -> Input:
    items = a if isinstance(a, (list, tuple)) else list(a)
    types = _types_of_scalars(items)
    if types is None:
        items = _plain(items, 1)
    try:
        array = np.asanyarray(items)
    except OverflowError as error:  # of times, from NumPy 2.5 on
        raise TypeError(
            f"NumPy makes no array of these: {error}; pass times of one unit"
        ) from error
    if types is None or any(issubclass(one, (int, np.integer, np.datetime64)) for one in types):
        _refuse_rounding(array, items)
    return _of_array(array)


def _types_of_scalars(items: Iterable[Any]) -> set[type] | None:
    """Return the types of what stands in lists of one depth; None if there is more to look at."""
    for _ in range(_depth(items)):
        types = set(map(type, items))
        if all(issubclass(one, _SCALARS) for one in types):
            return types
        if not types <= {list, tuple}:
            return None
        items = list(chain.from_iterable(items))
    return None


def _depth(items: Any) -> int:
    """Return how many lists the first item is in; 0 for too many, as in a list within itself."""
    for depth in range(_MAX_DEPTH):
        if not isinstance(items, (list, tuple)):
            return depth
        items = items[0] if items else None
    return 0


def _plain(items: Iterable[Any], depth: int) -> list[Any]:
    """Return nested items as lists, arrays and what NumPy takes for one element."""
    if depth > _MAX_DEPTH:
        raise TypeError(f"compute_mean takes no more than {_MAX_DEPTH} lists within lists")
    plain: list[Any] = []
    for item in items:
        if isinstance(item, _SCALARS):
            plain.append(item)
        elif _is_array_like(item) or isinstance(item, Mapping):
            given = as_input(item)
            if given.masked or given.valid is not None:
                raise _refusal(item, "its mask or nulls would be lost in a list: pass it by itself")
            plain.append(given.array)
        else:
            plain.append(_plain(item, depth + 1) if _is_nested(item) else item)
    return plain


def _refuse_rounding(array: NDArray[Any], items: Iterable[Any]) -> None:
    """Raise TypeError where the items are not what they were before they became one array."""
    if array.dtype.kind in "mM":
        changed = next((item for item in _leaves(items) if not _is_kept(item, array.dtype)), None)
        if changed is not None:
            raise TypeError(
                f"{changed!r} is no {array.dtype} like what is beside it; pass times of one unit"
            )
    elif array.dtype.char in "dD" and bool((np.abs(array) >= 2.0**53).any()):
        for number in _integers(items):
            if number != int(float(number)):
                raise TypeError(
                    f"the integer {number} does not fit the dtype of the numbers beside it, "
                    f"{array.dtype}; pass integers as an array of their own, or numpy.asarray(a, "
                    f"numpy.{array.dtype}) if rounded ones are meant"
                )


def _is_kept(item: Any, dtype: np.dtype[Any]) -> bool:
    """Whether an item is a time that is the same in another dtype."""
    if not isinstance(item, (np.generic, np.ndarray)):
        return not isinstance(item, (int, float))
    if item.dtype.kind != dtype.kind:
        return False
    try:
        there_and_back = item.astype(dtype).astype(item.dtype)
    except OverflowError:  # from NumPy 2.5 on
        return False
    return np.array_equal(there_and_back.view(np.int64), item.view(np.int64))


def _leaves(items: Iterable[Any]) -> Iterator[Any]:
    for item in items:
        if isinstance(item, (list, tuple)):
            yield from _leaves(item)
        else:
            yield item


def _integers(items: Iterable[Any]) -> Iterator[int]:
    for item in _leaves(items):
        if isinstance(item, (int, np.integer)):
            yield int(item)
        elif isinstance(item, np.ndarray) and item.dtype.kind in "iu":
            yield from item.ravel().tolist()


# Other libraries. None: NumPy may do what it does.


def _of_pandas(a: Any) -> Input | None:
    import pandas as pd

    if isinstance(a, pd.DataFrame):
        return _of_frame(a)
    if not isinstance(a, (pd.Series, pd.Index, pd.api.extensions.ExtensionArray)):
        return None
    dtype = a.dtype
    values = a if isinstance(a, pd.api.extensions.ExtensionArray) else a.array
    if isinstance(dtype, (np.dtype, pd.SparseDtype)) or type(values).__name__ in _OF_NUMPY:
        return Input(np.asarray(a))
    if hasattr(dtype, "pyarrow_dtype"):
        return _of_pyarrow(values.__arrow_array__())
    if hasattr(dtype, "numpy_dtype"):  # nullable: a mask beside the data
        valid = ~values.isna()
        return Input(values.to_numpy(dtype.numpy_dtype, na_value=0), _unless_all(valid))
    raise _no_mean_of("pandas", dtype, "a.astype() or a.dt.tz_localize(None)")


#: What pandas 2 and 3 call an array that is but NumPy's.
_OF_NUMPY = "PandasArray", "NumpyExtensionArray"


def _of_frame(frame: Any) -> Input:
    if len(set(frame.dtypes)) < 2 and all(isinstance(dtype, np.dtype) for dtype in frame.dtypes):
        return Input(np.asarray(frame))
    columns = [as_input(frame.iloc[:, k]) for k in range(frame.shape[1])]
    arrays = [column.array for column in columns]
    dtypes = {array.dtype for array in arrays}
    if len(dtypes) > 1 and any(dtype.kind in "mM" for dtype in dtypes):
        raise TypeError(
            f"columns of {' and '.join(sorted(map(str, dtypes)))} have no mean together; pass them "
            "one by one"
        )
    joined: NDArray[Any] = np.empty(frame.shape, np.result_type(*dtypes), order="F")
    valid = np.ones(frame.shape, bool, order="F")
    for k, column in enumerate(columns):
        joined[:, k] = column.array
        if column.valid is not None:
            valid[:, k] = column.valid
    _refuse_rounding(joined, arrays)
    return Input(joined, _unless_all(valid))


def _of_pyarrow(a: Any) -> Input | None:
    import pyarrow as pa
    import pyarrow.types as types

    if isinstance(a, (pa.Table, pa.RecordBatch)):
        raise _refusal(a, "its columns may be of different dtypes: pass one of them")
    if not isinstance(a, (pa.Array, pa.ChunkedArray)):
        return None
    kind = a.type
    if isinstance(a, pa.ChunkedArray):
        a = a.chunk(0) if a.num_chunks == 1 else pa.concat_arrays(a.chunks or [pa.array([], kind)])
    valid = a.is_valid().to_numpy(zero_copy_only=False) if a.null_count else None
    if types.is_boolean(kind):
        return Input(a.fill_null(False).to_numpy(zero_copy_only=False), valid)
    if types.is_integer(kind) or types.is_floating(kind):
        dtype = np.dtype(kind.to_pandas_dtype())
    elif types.is_duration(kind) or (types.is_timestamp(kind) and kind.tz is None):
        dtype = np.dtype(f"{'m' if types.is_duration(kind) else 'M'}8[{kind.unit}]")
    elif types.is_date(kind):
        return Input(a.to_numpy(zero_copy_only=False), valid)
    else:
        raise _no_mean_of("pyarrow", kind, "a.cast()")
    if not len(a):  # which may have no buffers
        return Input(np.empty(0, dtype))
    # What stands where there is a null is any number, and does not count.
    return Input(np.frombuffer(a.buffers()[1], dtype, len(a), a.offset * dtype.itemsize), valid)


def _of_polars(a: Any) -> Input | None:
    import polars as pl

    if isinstance(a, (pl.DataFrame, pl.LazyFrame)):
        raise _refusal(a, "its columns may be of different dtypes: pass one of them")
    if not isinstance(a, pl.Series):
        return None
    dtype = a.dtype
    of_time = dtype in (pl.Date, pl.Duration) or (
        isinstance(dtype, pl.Datetime) and dtype.time_zone is None
    )
    in_numpy = dtype.is_numeric() and hasattr(np, str(dtype).lower())  # Int128 is not, nor Decimal
    if not (of_time or in_numpy or dtype == pl.Boolean):
        raise _no_mean_of("polars", dtype, "a.cast()")
    valid = a.is_not_null().to_numpy() if a.null_count() else None
    if valid is not None and not of_time:  # else to_numpy would make floats of whole numbers
        a = a.fill_null(strategy="zero") if in_numpy else a.fill_null(False)
    return Input(a.to_numpy(), valid)


def _of_torch(a: Any) -> Input | None:
    import torch

    if not isinstance(a, torch.Tensor):
        return None
    if type(a) not in (torch.Tensor, torch.nn.Parameter):
        raise _refusal(a, "the mean would lose its mask or other meaning: pass a plain tensor")
    try:
        return Input(np.asarray(a))
    except (RuntimeError, TypeError, NotImplementedError) as error:
        way_out = "pass what a.detach(), .cpu(), .resolve_conj(), .to_dense() or .float() gives"
        raise _refusal(a, f"torch makes no array of this {a.dtype}: {way_out}") from error


def _of_xarray(a: Any) -> Input | None:
    import xarray as xr

    if isinstance(a, xr.Dataset):
        raise _refusal(a, "its variables may be of different dtypes: pass one of them")
    if isinstance(a, xr.DataArray):
        a = a.variable
    if isinstance(a, xr.IndexVariable):
        return as_input(a.to_index())
    if isinstance(a, xr.Variable):
        return as_input(a.data)
    # A column of pandas, which xarray wraps.
    return as_input(a.array) if type(a).__name__ == "PandasExtensionArray" else None


#: By the library that the class comes from.
_ADAPTERS: dict[str, Callable[[Any], Input | None]] = {
    "pandas": _of_pandas,
    "polars": _of_polars,
    "pyarrow": _of_pyarrow,
    "torch": _of_torch,
    "xarray": _of_xarray,
}


def _unless_all(valid: NDArray[np.bool_]) -> NDArray[np.bool_] | None:
    return None if valid.all() else valid


def _no_mean_of(library: str, dtype: object, way_out: str) -> TypeError:
    return TypeError(
        f"compute_mean does not take the {library} dtype {dtype}, only booleans, integers, floats, "
        f"and dates and durations without a time zone; convert first, with {way_out}"
    )
