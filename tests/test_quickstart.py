"""The demo, on the usual suspects and on files that users bring."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

SCRIPT = Path(__file__).parent.parent / "examples" / "quickstart.py"


def run(*files):
    command = [sys.executable, SCRIPT, *files]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_compute_mean_is_never_off_by_more_than_half_an_ulp():
    done = run()
    assert done.returncode == 0, done.stderr
    ours = re.findall(r"compute_mean .* (\S+) ulp off", done.stdout)
    theirs = re.findall(r"np\.mean .* (\S+) ulp off", done.stdout)
    assert len(ours) == len(theirs) == 6
    assert max(map(float, ours)) <= 0.5 < max(map(float, theirs))


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        ([1e16, 1.0, -1e16, -1.0], "0 ulp off"),
        ([1.7976931348623157e308] * 3, "0 ulp off"),
        (np.full(3, 3.4028235e38, np.float32), "0 ulp off"),
        ([5e-324, 0.0, 0.0], "0.333 ulp off"),
        ([1.0, np.nan], "compute_mean  nan"),
    ],
)
def test_a_file_of_ones_own(tmp_path, array, expected):
    np.save(tmp_path / "own.npy", array)
    done = run(tmp_path / "own.npy")
    assert done.returncode == 0, done.stderr
    assert expected in done.stdout


def test_files_that_do_not_do(tmp_path):
    (tmp_path / "empty.npy").touch()
    np.savez(tmp_path / "two.npz", np.ones(3))
    np.save(tmp_path / "integers.npy", np.arange(3))
    np.save(tmp_path / "nothing.npy", np.ones(0))
    names = ["empty.npy", "two.npz", "integers.npy", "nothing.npy", "missing.npy"]
    for done in (run(tmp_path / name) for name in names):
        assert done.returncode == 1
        assert re.fullmatch(r"\w+Error: .+\n", done.stderr), done.stderr
