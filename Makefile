# `make demo` and `make test` set up all they need in .venv and target/; nothing is installed elsewhere.
# The Python that .venv is made with: to change it, `make clean` first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Seconds of `make soak`, of which a slice is in every test run.
SECONDS ?= 600
SLICE ?= 20
# Of `make bench`; a trial is BENCH="--rounds 3 --output $$(mktemp -d)".
BENCH ?=
# What `tox` runs; CI runs the label `ci`, in which no interpreter may be missing.
TOX ?= run

# The Rust tests are of the library as it is optimised, but checked: overflows and debug assertions panic.
CHECKED := CARGO_PROFILE_RELEASE_OVERFLOW_CHECKS=true CARGO_PROFILE_RELEASE_DEBUG_ASSERTIONS=true

RUST_SOURCES := .cargo/config.toml Cargo.toml Cargo.lock $(shell find rust -name '*.rs' -o -name '*.toml')
BUILD_SOURCES := pyproject.toml setup.py cffi_build.py MANIFEST.in mean/include/mean.h $(RUST_SOURCES)

.PHONY: demo test lint test-rust test-bench test-python test-matrix soak bench bench-kernels header dist clean tools
.DELETE_ON_ERROR:

demo: $(VENV)/.installed
	$(BIN)/python examples/quickstart.py

# Cheapest first; the runner's summary line last.
test: lint test-rust test-matrix test-python

lint: $(VENV)/.installed
	@cargo fmt --version >/dev/null && cargo clippy --version >/dev/null || { echo "missing: rustup component add rustfmt clippy" >&2; exit 1; }
	cargo fmt --check
	$(CHECKED) cargo clippy --release --workspace --all-targets --locked -- -D warnings
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

test-rust: tools
	$(CHECKED) cargo test --release --workspace --locked
	$(CHECKED) cargo run --release --locked -p mean-core --example soak -- $(SLICE)

# That the benchmarks run. In CI only: the peers have no wheels for some Pythons.
test-bench: $(VENV)/.installed $(VENV)/.bench
	$(BIN)/python benchmarks/bench.py --rounds 1 --output build/bench
	$(BIN)/python benchmarks/peers.py

# The editable install, and the distributions that the matrix has just installed.
test-python: $(VENV)/.installed $(VENV)/.world dist
	cd tests && ../$(BIN)/python -m pytest . ../README.md --pyargs mean --dist ../dist --world pandas,arrow,xarray

test-matrix: $(VENV)/.installed dist
	$(BIN)/tox $(TOX) --installpkg "$$(ls dist/*.whl)"

# Random inputs at every SIMD level against the exact path.
soak: tools
	$(CHECKED) cargo run --release --locked -p mean-core --example soak -- $(SECONDS)

# compute_mean beside its peers: writes docs/benchmarks.md and docs/throughput.png.
bench: $(VENV)/.installed $(VENV)/.bench
	$(BIN)/python benchmarks/bench.py $(BENCH)

# The kernels alone, beside a plain read and a plain sum.
bench-kernels: tools
	cargo bench --locked -p mean-core --bench kernels

header: tools
	cargo run --locked -p mean-contract

dist: dist/.built

# The sdist, and the wheel: from the same files, as a test sees; so nothing is compiled a second time.
dist/.built: $(VENV)/.installed $(wildcard $(shell git ls-files))
	rm -rf dist build/lib* build/bdist.*
	$(BIN)/python -m build --sdist --wheel
	touch $@

$(VENV)/.installed: $(VENV)/.tools $(BUILD_SOURCES)
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

$(VENV)/.tools: pyproject.toml | tools
	"$(PYTHON)" -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --group dev
	touch $@

$(VENV)/.world: $(VENV)/.tools
	$(BIN)/python -m pip install --quiet --group world
	touch $@

$(VENV)/.bench: $(VENV)/.tools
	$(BIN)/python -m pip install --quiet --group bench
	touch $@

# Say plainly what is missing before anything fails for want of it.
tools:
	@missing() { echo "missing: $$1" >&2; exit 1; }; \
	command -v "$(PYTHON)" >/dev/null || missing "Python: install Python 3.9 or later, or name it: make PYTHON=..."; \
	"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 9))' || missing "Python 3.9 or later: $(PYTHON) is older; name another: make PYTHON=..."; \
	"$(PYTHON)" -c 'import venv, ensurepip' 2>/dev/null || missing "Python's venv: install python3-venv"; \
	command -v cargo >/dev/null || missing "Rust's cargo: see https://rustup.rs"; \
	command -v cc >/dev/null || missing "a C compiler: install gcc or clang"; \
	command -v c++ >/dev/null || echo "note: no C++ compiler, so the header is tested as C only" >&2

clean:
	rm -rf $(VENV) target build dist .tox *.egg-info mean/_mean_cffi.py mean/_libmean.*
