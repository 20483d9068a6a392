"""The native library: loading it, and its statuses as Python sees them."""

from __future__ import annotations

import os
import sys
from enum import EnumMeta, IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mean._mean_cffi import ffi

_PACKAGE = Path(__file__).absolute().parent
_SUFFIX = {"win32": ".dll", "darwin": ".dylib"}.get(sys.platform, ".so")


def _load(path: Path) -> Any:
    """Open the library at `path`, and no other, if it speaks the ABI of the header."""
    try:
        library = ffi.dlopen(str(path))
        loaded = library.mean_abi_version()
        if loaded != library.MEAN_ABI_VERSION:
            raise ImportError(
                f"the native library of mean at {path} has ABI version {loaded}, but this package "
                f"was built for version {library.MEAN_ABI_VERSION}; reinstall compute-mean",
                path=str(path),
            )
        level = library.mean_simd_level()
    except (OSError, AttributeError, UnicodeError, ffi.error) as error:
        raise ImportError(
            f"the native library of mean cannot be loaded from {path}: {error}; "
            "reinstall compute-mean",
            path=str(path),
        ) from error
    if level == ffi.NULL:
        status = ffi.string(library.mean_status_message(library.MEAN_BAD_SIMD_LEVEL)).decode()
        raise ImportError(f"{status} (MEAN_SIMD is {os.environ.get('MEAN_SIMD')!r})")
    return library


lib = _load(_PACKAGE / f"_libmean{_SUFFIX}")

#: The version of the package, and of its library.
__version__: str = ffi.string(lib.mean_version()).decode()


class _StatusMeta(EnumMeta):
    if TYPE_CHECKING:
        # The members are the library's, so a type checker has to take them on trust.
        def __getattr__(cls, name: str) -> Status: ...


class Status(IntEnum, metaclass=_StatusMeta):
    """The statuses of the C interface without their prefix: ``Status.ZERO_LENGTH`` and so on.

    Every member but ``OK`` is an error. The members are those of ``enum mean_status`` in mean.h.

    Examples
    --------
    >>> from mean import Status
    >>> Status.OK
    <Status.OK: 0>
    >>> Status.ZERO_LENGTH.message
    'zero length: the mean of no elements is undefined; pass at least one'
    """

    __module__ = "mean"  # where users find it

    _ignore_ = "_code _name"
    for _code, _name in sorted(ffi.typeof("enum mean_status").elements.items()):
        vars()[_name[len("MEAN_") :]] = _code

    @property
    def message(self) -> str:
        """What the status means and how to mend it."""
        text: str = ffi.string(lib.mean_status_message(self)).decode()
        return text


class MeanError(ValueError):
    """The mean could not be computed from the values given.

    Parameters
    ----------
    status : Status
        What was wrong.
    detail : str
        What was given.

    Examples
    --------
    >>> from mean import MeanError, compute_mean
    >>> try:
    ...     compute_mean([])
    ... except MeanError as error:
    ...     print(error.status.name)
    ZERO_LENGTH
    """

    __module__ = "mean"  # where users find it

    def __init__(self, status: Status, detail: str) -> None:
        super().__init__(status, detail)
        #: What was wrong.
        self.status = Status(status)

    def __str__(self) -> str:
        """Return what was wrong, how to mend it, and what was given."""
        return f"{self.status.message} ({self.args[1]})"


def simd_level() -> str:
    """Return the SIMD level that runs: it decides how fast a mean comes, and nothing else.

    The best one that this CPU has, or the one that the environment variable ``MEAN_SIMD`` named at
    import.

    Returns
    -------
    str
        ``fallback``, ``sse2``, ``avx2``, ``avx512`` or ``neon``.

    Examples
    --------
    >>> from mean import simd_level
    >>> simd_level() in {"fallback", "sse2", "avx2", "avx512", "neon"}
    True
    """
    name: str = ffi.string(lib.mean_simd_level()).decode()
    return name


def get_include() -> str:
    """Return the folder of ``mean.h``, for a C compiler's ``-I``.

    Examples
    --------
    >>> from pathlib import Path
    >>> from mean import get_include
    >>> Path(get_include(), "mean.h").exists()
    True
    """
    return str(_PACKAGE / "include")
