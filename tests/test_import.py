"""A package with another library, or none, says so at import."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import mean
from mean import _library


@pytest.mark.parametrize(
    "wrong", ["avx1024", "AVX2", "neon" if mean.simd_level() != "neon" else "sse2"]
)
def test_a_level_that_is_none(wrong):
    done = python("import mean", MEAN_SIMD=wrong)
    last = done.stderr.splitlines()[-1]
    assert last.startswith("ImportError: bad SIMD level: ")
    assert f"(MEAN_SIMD is {wrong!r})" in last


def test_a_level_can_be_forced():
    assert (
        python("import mean; print(mean.simd_level())", MEAN_SIMD="fallback").stdout == "fallback\n"
    )
    assert python("import mean; print(mean.simd_level())", MEAN_SIMD="").returncode == 0


def python(code, **environment):
    command = [sys.executable, "-c", code]
    environment = {**os.environ, **environment}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture
def package(tmp_path):
    """Return a copy of the installed package, and how importing it ends."""
    folder = tmp_path / "mean"
    shutil.copytree(Path(mean.__file__).parent, folder)

    def failure():
        command = [sys.executable, "-c", "import mean"]
        # The current folder comes first on the path of `python -c`.
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        return done.stderr.splitlines()[-1] if done.returncode else ""

    return folder / f"_libmean{_library._SUFFIX}", failure


def test_a_whole_copy_imports(package):
    _, failure = package
    assert failure() == ""


def test_a_missing_library(package):
    library, failure = package
    library.unlink()
    assert failure().startswith("ImportError: the native library of mean cannot be loaded")
    assert str(library) in failure()


def test_a_file_that_is_no_library(package):
    library, failure = package
    library.write_bytes(b"not a library")
    assert failure().startswith("ImportError: the native library of mean cannot be loaded")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (
            "unsigned mean_abi_version(void) { return 999; }",
            "has ABI version 999, but this package",
        ),
        ("int another_library(void) { return 0; }", "cannot be loaded"),
        ("unsigned mean_abi_version(void) { return 1; } /* older */", "cannot be loaded"),
    ],
)
def test_a_library_of_another_abi(package, source, expected):
    library, failure = package
    library.unlink()
    code = library.with_suffix(".c")
    code.write_text(source)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, code], check=True)
    assert expected in failure()
    assert failure().startswith("ImportError: the native library of mean")
    assert str(library) in failure()
