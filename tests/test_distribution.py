"""The sdist and the wheel: one wheel for every Python, and an sdist of all that it is made from."""

import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest

import mean

ROOT = Path(__file__).parent.parent


@pytest.fixture
def wheel(dist):
    """Return the one wheel."""
    (path,) = dist.glob("*.whl")
    return path


def test_the_wheel_is_for_every_python(wheel):
    name, version, python, abi, platform = wheel.stem.split("-")
    assert (name, version, python, abi) == ("compute_mean", mean.__version__, "py3", "none")
    assert platform != "any"
    with zipfile.ZipFile(wheel) as archive:
        metadata = archive.read(f"{name}-{version}.dist-info/WHEEL").decode()
    assert "Root-Is-Purelib: false" in metadata
    assert f"Tag: py3-none-{platform}\n" in metadata


def test_the_wheel_holds_the_package_and_no_extension_module(wheel):
    with zipfile.ZipFile(wheel) as archive:
        files = {name for name in archive.namelist() if ".dist-info/" not in name}
    library = {name for name in files if Path(name).stem == "_libmean"}
    assert len(library) == 1
    assert files - library == {
        "mean/__init__.py",
        "mean/_compute.py",
        "mean/_input.py",
        "mean/_library.py",
        "mean/_mean_cffi.py",
        "mean/include/mean.h",
        "mean/py.typed",
    }


@pytest.mark.skipif("sys.platform != 'linux'", reason="nm -D is ELF's")
def test_the_library_exports_mean_symbols_only(wheel, tmp_path):
    with zipfile.ZipFile(wheel) as archive:
        library = archive.extract("mean/_libmean.so", tmp_path)
    command = ["nm", "-D", "--defined-only", library]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    names = {line.split()[-1] for line in lines}
    assert "mean_f64" in names
    assert not [name for name in names if not name.startswith("mean_")]


def test_the_sdist_holds_what_git_does(dist):
    (path,) = dist.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        files = {file.name.partition("/")[2] for file in archive if file.isfile()}
    listing = subprocess.run(
        ["git", "ls-files"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    tracked = set(listing.stdout.split())
    for_developers = {"Makefile", "tox.toml", "rustfmt.toml", "CONTRIBUTING.md", "SECURITY.md"}
    unpacked = {name for name in files if not name.endswith(("/", "PKG-INFO", "setup.cfg"))}
    generated = {name for name in unpacked if name.startswith("compute_mean.egg-info/")}
    absent = {name for name in tracked - unpacked if not name.startswith((".ci/", ".git", "docs/"))}
    assert absent == for_developers
    assert unpacked - generated - tracked == set()
