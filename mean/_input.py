"""What `compute_mean` is given, as an array of numbers and which of them count.

Other libraries' objects are known by the name of their class's module: none is imported that the
caller has not imported.
"""

from __future__ import annotations

from array import array as typed_array
from collections.abc import Callable, Iterable, Iterator, Sequence
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
        return _of_ndarray(a)
    for base in type(a).__mro__:
        adapter = _ADAPTERS.get(base.__module__.partition(".")[0])
        given = adapter(a) if adapter else None
        if given is not None:
            return given
    if _is_nested(a):
        return _of_sequence(a)
    return _of_ndarray(np.asanyarray(a), a)


def as_mask(where: ArrayLike) -> NDArray[np.bool_]:
    """Return which elements are to count."""
    given = as_input(where)
    if given.masked:
        raise _refusal(where, "where= may not be masked itself")
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
        raise _refusal(a, "whose mask, unit or other meaning the mean would lose")


def _refusal(a: object, why: str) -> TypeError:
    return TypeError(
        f"compute_mean does not take {type(a).__module__}.{type(a).__name__}, {why}; pass the "
        "numbers that are meant, for example a.compressed() of a masked array or numpy.asarray(a) "
        "of another"
    )


def _of_ndarray(array: NDArray[Any], given: object = None) -> Input:
    """Return an array as it is. One that was hidden in something else may not be masked."""
    if given is None and isinstance(array, np.ma.MaskedArray):
        return _of_masked(array)
    refuse_subclass(array)
    return Input(np.asarray(array))


def _of_masked(array: np.ma.MaskedArray[Any, Any]) -> Input:
    if type(array) not in (np.ma.MaskedArray, type(np.ma.masked)):
        refuse_subclass(array)
    data: NDArray[Any] = array.data
    refuse_subclass(data)
    mask = np.ma.getmask(array)
    no_mask = mask is np.ma.nomask or array.dtype.names is not None  # of which there is no mean
    return Input(np.asarray(data), None if no_mask else ~np.asarray(mask), masked=True)


def _is_nested(a: object) -> bool:
    """Whether NumPy makes an array of the items of `a`, one by one."""
    flat = (str, bytes, bytearray, memoryview, range, typed_array)
    return isinstance(a, Sequence) and not isinstance(a, flat) and not hasattr(a, "__array__")


def _of_sequence(a: Any) -> Input:
    items = _plain(a)
    array = np.asanyarray(items)
    _refuse_rounding(array, items)
    return _of_ndarray(array, a)


def _plain(items: Iterable[Any]) -> Iterable[Any]:
    """Return nested items that mean their numbers alone: NumPy would strip masks and nulls."""
    if set(map(type, items)) <= {bool, int, float, complex}:
        return items
    return [_plain_item(item) for item in items]


def _plain_item(item: Any) -> Any:
    if _is_nested(item):
        return _plain(item)
    if isinstance(item, np.generic) or not hasattr(item, "__array__"):
        return item
    given = as_input(item)
    if given.masked or given.valid is not None:
        raise _refusal(item, "whose mask or nulls are lost in a list")
    return given.array


def _refuse_rounding(array: NDArray[Any], items: Iterable[Any]) -> None:
    """Raise TypeError where integers among other numbers were rounded to make one array."""
    if array.dtype.kind not in "fc" or bool((np.abs(array) < 2.0**53).all()):
        return
    for number in _integers(items):
        if number != int(float(number)):
            raise TypeError(
                f"the integer {number} does not fit the dtype of the numbers beside it, "
                f"{array.dtype}; pass integers as an array of their own, or numpy.asarray(a, "
                f"numpy.{array.dtype}) if rounded ones are meant"
            )


def _integers(items: Iterable[Any]) -> Iterator[int]:
    for item in items:
        if isinstance(item, (int, np.integer)):
            yield int(item)
        elif isinstance(item, np.ndarray):
            if item.dtype.kind in "iu":
                yield from item.ravel().tolist()
        elif _is_nested(item):
            yield from _integers(item)


def _of_pandas(a: Any) -> Input | None:
    import pandas as pd

    if isinstance(a, pd.DataFrame):
        return _of_frame(a)
    if not isinstance(a, (pd.Series, pd.Index, pd.api.extensions.ExtensionArray)):
        return None
    dtype = a.dtype
    if isinstance(dtype, np.dtype):
        return Input(np.asarray(a))
    values = a if isinstance(a, pd.api.extensions.ExtensionArray) else a.array
    if hasattr(values, "__arrow_array__") and hasattr(dtype, "pyarrow_dtype"):
        return _of_pyarrow(values.__arrow_array__())
    if hasattr(dtype, "numpy_dtype"):  # nullable: a mask beside the data
        valid = ~values.isna()
        return Input(values.to_numpy(dtype.numpy_dtype, na_value=0), _unless_all(valid))
    if isinstance(dtype, pd.SparseDtype):
        return Input(np.asarray(a))
    raise _no_mean_of("pandas", dtype)


def _of_frame(frame: Any) -> Input:
    dtypes = set(frame.dtypes)
    if len(dtypes) < 2 and all(isinstance(dtype, np.dtype) for dtype in dtypes):
        return Input(np.asarray(frame))
    columns = [as_input(frame.iloc[:, k]) for k in range(frame.shape[1])]
    arrays = [column.array for column in columns]
    if len({array.dtype for array in arrays if array.dtype.kind in "mM"}) > 1 or (
        len({array.dtype.kind in "mM" for array in arrays}) > 1
    ):
        raise TypeError("the columns are of different kinds: average them one by one")
    joined: NDArray[Any] = np.empty(frame.shape, np.result_type(*arrays), order="F")
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
        raise _refusal(a, "whose columns may be of different dtypes: pass one of them")
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
        raise _no_mean_of("pyarrow", kind)
    if not len(a):  # which may have no buffers
        return Input(np.empty(0, dtype))
    # What stands where there is a null is any number, and does not count.
    return Input(np.frombuffer(a.buffers()[1], dtype, len(a), a.offset * dtype.itemsize), valid)


def _of_polars(a: Any) -> Input | None:
    import polars as pl

    if isinstance(a, (pl.DataFrame, pl.LazyFrame)):
        raise _refusal(a, "whose columns may be of different dtypes: pass one of them")
    if not isinstance(a, pl.Series):
        return None
    dtype = a.dtype
    of_time = dtype in (pl.Date, pl.Duration) or (
        isinstance(dtype, pl.Datetime) and dtype.time_zone is None
    )
    in_numpy = dtype.is_numeric() and hasattr(np, str(dtype).lower())  # Int128 is not, nor Decimal
    if not (of_time or in_numpy or dtype == pl.Boolean):
        raise _no_mean_of("polars", dtype)
    valid = a.is_not_null().to_numpy() if a.null_count() else None
    if valid is not None and not of_time:  # else to_numpy would make floats of whole numbers
        a = a.fill_null(strategy="zero") if in_numpy else a.fill_null(False)
    return Input(a.to_numpy(), valid)


def _of_torch(a: Any) -> Input | None:
    import torch

    if isinstance(a, torch.Tensor) and type(a) not in (torch.Tensor, torch.nn.Parameter):
        raise _refusal(a, "whose mask or other meaning the mean would lose")
    return None


#: By the library that the class comes from; None where NumPy may do what it does.
_ADAPTERS: dict[str, Callable[[Any], Input | None]] = {
    "pandas": _of_pandas,
    "polars": _of_polars,
    "pyarrow": _of_pyarrow,
    "torch": _of_torch,
}


def _unless_all(valid: NDArray[np.bool_]) -> NDArray[np.bool_] | None:
    return None if valid.all() else valid


def _no_mean_of(library: str, dtype: object) -> TypeError:
    return TypeError(
        f"compute_mean does not take the {library} dtype {dtype}, only booleans, integers, floats, "
        "and dates and durations without a time zone; convert first"
    )
