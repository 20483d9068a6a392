"""mean.h -> the out-of-line ABI-mode cffi module `mean._mean_cffi`, which is plain Python."""

import io
from pathlib import Path

from cffi import FFI
from pcpp import Action, OutputDirective, Preprocessor

HEADER = Path(__file__).parent / "mean" / "include" / "mean.h"


class Declarations(Preprocessor):  # type: ignore[misc]  # pcpp has no types
    """A C preprocessor that keeps the header's declarations and no system header's."""

    def on_include_not_found(self, *_: object) -> None:
        """Drop an #include: cffi knows the types of stddef.h and stdint.h."""
        raise OutputDirective(Action.IgnoreAndRemove)

    def on_error(self, file: str, line: int, msg: str) -> None:
        """Turn a complaint into an exception, so that a build cannot go on without it."""
        raise SyntaxError(f"{file}:{line}: {msg}")


def cdef(header: str) -> str:
    """Return the declarations that a C11 compiler sees, as cffi's parser takes them.

    Parameters
    ----------
    header : str
        The text of mean.h.

    Returns
    -------
    str
        C declarations without directives, and the integer macros as ``#define``.
    """
    preprocessor = Declarations()
    preprocessor.line_directive = None
    preprocessor.define("__STDC_VERSION__ 201112L")
    preprocessor.parse(header)
    declarations = io.StringIO()
    preprocessor.write(declarations)
    # Preprocessing took the constants out of the text; cffi is to know them.
    constants = [
        f"#define {name} {macro.value[0].value}\n"
        for name, macro in preprocessor.macros.items()
        if name.startswith("MEAN_") and [token.type for token in macro.value] == ["CPP_INTEGER"]
    ]
    return "".join(constants) + declarations.getvalue()


ffibuilder = FFI()
ffibuilder.set_source("mean._mean_cffi", None)
ffibuilder.cdef(cdef(HEADER.read_text(encoding="utf-8")))

if __name__ == "__main__":
    ffibuilder.compile(verbose=True)
