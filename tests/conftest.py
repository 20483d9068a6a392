"""Options and profiles of the test run."""

from pathlib import Path

import hypothesis
import pytest

# The same cases on every machine: a red run is reproducible. The matrix looks for what differs
# between Pythons (tox: --hypothesis-profile=matrix); one run of all the cases is enough.
for profile, examples in ("default", 300), ("matrix", 60):
    hypothesis.settings.register_profile(
        profile, derandomize=True, deadline=None, max_examples=examples
    )
hypothesis.settings.load_profile("default")

pytest.register_assert_rewrite("checks")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add what some tests need: without it, they are left out."""
    parser.addoption("--dist", type=Path, help="folder with the sdist and the wheel to examine")
    libraries = "comma-separated libraries beside NumPy whose tests to run: test_NAME.py of world/"
    parser.addoption("--world", default="", help=libraries)


def pytest_configure(config: pytest.Config) -> None:
    """Refuse libraries that have no tests: a misspelt one would be left out and not missed."""
    for library in filter(None, config.getoption("--world").split(",")):
        if not (Path(__file__).parent / "world" / f"test_{library}.py").exists():
            raise pytest.UsageError(f"--world: there is no test_{library}.py in tests/world")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> "bool | None":
    """Leave the distributions and other libraries to the runs that are given them."""
    if collection_path.name == "test_distribution.py" and config.getoption("--dist") is None:
        return True
    if collection_path.suffix == ".py" and collection_path.parent.name == "world":
        library = collection_path.stem[len("test_") :]
        return library not in config.getoption("--world").split(",") or None
    return None


@pytest.fixture(scope="session")
def dist(request: pytest.FixtureRequest) -> Path:
    """Return the folder with the sdist and the wheel."""
    path: Path = request.config.getoption("--dist")
    return path.resolve()
