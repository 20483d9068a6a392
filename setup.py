"""Build one wheel for every Python: a plain Rust library beside plain Python files."""

import sys
from pathlib import Path

from setuptools import setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools_rust import Binding, RustExtension, build_rust

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

LIBRARY = "mean._libmean"


class BuildRust(build_rust):
    """Name the library for what it is: not an extension module of one Python."""

    def get_dylib_ext_path(self, ext: RustExtension, target_fname: str) -> str:
        """Return where the library goes, without the suffix that a CPython module would have."""
        suffix = {"win32": ".dll", "darwin": ".dylib"}.get(sys.platform, ".so")
        path = Path(super().get_dylib_ext_path(ext, target_fname))
        return str(path.with_name(LIBRARY.rpartition(".")[2] + suffix))


class BdistWheel(bdist_wheel):
    """Tag the wheel for the platform alone: nothing in it depends on the Python."""

    def finalize_options(self) -> None:
        """Say that the wheel holds machine code."""
        super().finalize_options()
        self.root_is_pure = False

    def get_tag(self) -> tuple[str, str, str]:
        """Return the tag of any Python 3 and any ABI on this platform."""
        return ("py3", "none", super().get_tag()[2])


cargo = tomllib.loads(Path("Cargo.toml").read_text(encoding="utf-8"))

setup(
    version=cargo["workspace"]["package"]["version"],
    rust_extensions=[
        RustExtension(
            LIBRARY,
            path="rust/capi/Cargo.toml",
            binding=Binding.NoBinding,
            cargo_manifest_args=["--locked"],
            # Both kinds, as Cargo.toml says: else cargo compiles all of it again for a static one.
            # (setuptools-rust takes the first; the second costs no time that could be measured.)
            args=["--crate-type", "cdylib,staticlib"],
            debug=False,
        )
    ],
    cffi_modules=["cffi_build.py:ffibuilder"],
    cmdclass={"build_rust": BuildRust, "bdist_wheel": BdistWheel},
)
