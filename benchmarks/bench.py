"""Measure compute_mean beside its peers; write benchmarks.md and throughput.png.

Every figure is a median, or a ratio of medians: what is compared takes turns in one run, in an
order that changes, so that a noisy machine slows all alike; and time is that of the processor, of
all threads, so that waiting for other processes does not count. ``make bench`` runs this.
"""

import argparse
import math
import os
import platform
import subprocess
import sys
import tempfile
from datetime import date
from functools import partial
from importlib.metadata import version
from pathlib import Path
from statistics import median
from time import process_time
from timeit import Timer
from typing import NamedTuple

import bottleneck
import cffi
import matplotlib.pyplot as plt
import numkong
import numpy as np
import polars
import pyarrow
import pyarrow.compute
import xsum

import mean
from mean._library import lib

HERE = Path(__file__).resolve().parent
PACKAGES = ["numpy", "bottleneck", "polars", "pyarrow", "numkong", "xsum"]
DRAM = 20_000_000  # 80 MB of float32, 160 MB of float64
SIZES = [8, 30, 100, 300, 1000, 3000, 10**4, 10**5, 10**6, 10**7, DRAM]
DTYPES = ["float32", "float64"]
READS = ["read_32", "read_64", "read_back", "read_streams"]
BATCH = 1e-3  # seconds: quick calls are timed together, at least this long
PASSED = 2 << 20  # bytes: larger arrays are read from beginning to end before each call
US, READ, FASTEST = "compute_mean", "read limit", "the fastest peer"
NEAR_A_READ = 0.8  # of its speed: the memory is most of what takes time
TIMES, SLOWER, NS, NS_EACH = "x", "x slower", " ns", " ns/element"  # units; at least, then at most
STYLES = {
    US: {"color": "crimson", "linewidth": 4, "zorder": 3},
    READ: {"color": "black", "linestyle": "--"},
}
PEER_COLORS = [f"C{k}" for k in (1, 2, 0, 4, 5, 6, 7, 8, 9)]  # without C3: ours is red

ffi = cffi.FFI()
ffi.cdef(
    """
    double tutorial_f64(const void *a, size_t n);
    float tutorial_f32(const void *a, size_t n);
    int32_t read_32(const void *data, size_t len, ptrdiff_t stride, double *out);
    int32_t read_64(const void *data, size_t len, ptrdiff_t stride, double *out);
    int32_t read_back(const void *data, size_t len, ptrdiff_t stride, double *out);
    int32_t read_streams(const void *data, size_t len, ptrdiff_t stride, double *out);
    int32_t plain_sum(const void *data, size_t len, ptrdiff_t stride, double *out);
    double seconds(void *call, const void *data, size_t len, size_t arrays, size_t repeats);
    """
)


def compile_loops(*flags):
    """Return the functions of loops.c, compiled with these flags."""
    with tempfile.TemporaryDirectory() as folder:
        name = Path(folder, "loops")
        # Linked apart, without the flags: for -ffast-math gcc links code that sets flush-to-zero.
        compiler = ["cc", "-O3", "-fPIC", *flags, "-c", HERE / "loops.c", "-o", f"{name}.o"]
        subprocess.run(compiler, check=True)
        subprocess.run(["cc", "-shared", f"{name}.o", "-o", f"{name}.so"], check=True)
        return ffi.dlopen(f"{name}.so")


PLAIN = compile_loops()
FAST = compile_loops("-march=native", "-ffast-math")


def fsum_mean(a):
    """Return the exact sum of Python's own, divided: rounded twice."""
    return math.fsum(a) / a.size


def numkong_mean(a):
    """Return numkong's sum, divided."""
    return numkong.sum(a) / a.size


def xsum_mean(a):
    """Return the exact mean by PyPI's xsum."""
    accumulator = xsum.xsum_large_accumulator()
    xsum.xsum_add(accumulator, a)
    return xsum.xsum_large_div_int(accumulator, a.size)


def clock(function, *arguments):
    """Return a timer, from a number of calls to seconds, of a call from Python."""
    return Timer(partial(function, *arguments), timer=process_time).timeit


def after_a_pass(timer, memory):
    """Return a timer of calls that find `memory` as what made it leaves it: passed to its end.

    So none gains from what another leaves in a cache, but who reads from the end gains from the
    pass. Of less all stays near, and nothing changes.
    """
    if memory.nbytes < PASSED:
        return timer
    pointer, length, out = ffi.from_buffer(memory), memory.nbytes // 8, ffi.new("double *")

    def seconds(repeats):
        total = 0
        for _ in range(repeats):
            FAST.read_64(pointer, length, 8, out)
            total += timer(1)
        return total

    return seconds


def clock_in_c(function, a, arrays=1):
    """Return the timer of a call from C on float64: on `arrays` equal parts of `a` in turn."""
    pointer, length = ffi.from_buffer(a), a.nbytes // 8 // arrays
    return partial(PLAIN.seconds, ffi.cast("void *", function), pointer, length, arrays)


def python_calls(a):
    """Return the timer, by name, of every peer on the array `a`."""
    tutorial = {"float32": "tutorial_f32", "float64": "tutorial_f64"}[a.dtype.name]
    pointer = ffi.from_buffer(a)
    timers = {
        US: clock(mean.compute_mean, a),
        "numpy": clock(np.mean, a),
        "bottleneck": clock(bottleneck.nanmean, a),
        "polars": clock(polars.Series(a).mean),
        "pyarrow": clock(pyarrow.compute.mean, pyarrow.array(a)),
        "numkong": clock(numkong_mean, a),
        "xsum": clock(xsum_mean, a),
        "fsum": clock(fsum_mean, a),
        "C -O3": clock(getattr(PLAIN, tutorial), pointer, a.size),
        "C -ffast-math": clock(getattr(FAST, tutorial), pointer, a.size),
    }
    if a.size > 10**6:
        del timers["fsum"]  # it would take seconds
    return {name: after_a_pass(timer, a) for name, timer in timers.items()}


def medians(timers, rounds):
    """Return the median seconds of a call, by name: all take turns."""
    rng = np.random.default_rng()
    repeats = dict.fromkeys(timers, 1)
    for name, timer in timers.items():
        while timer(repeats[name]) < BATCH:
            repeats[name] *= 2
    samples = {name: [] for name in timers}
    for _ in range(rounds):
        for name in rng.permutation(list(timers)):
            samples[name].append(timers[name](repeats[name]) / repeats[name])
    return {name: median(seconds) for name, seconds in samples.items()}


def with_read_limit(timers, a, rounds):
    """Return the medians, and the read limit's: of the fastest plain SIMD read of `a`."""
    reads = {name: after_a_pass(clock_in_c(getattr(FAST, name), a), a) for name in READS}
    found = medians({**timers, **reads}, rounds)
    found[READ] = min(found.pop(name) for name in reads)
    return found


def from_python(rounds):
    """Return the medians of all peers, by dtype and size, and the read limit's."""
    rng = np.random.default_rng(0)
    found = {dtype: {} for dtype in DTYPES}
    # Once for nothing: in a library's first seconds its threads start, and their time would count.
    medians(python_calls(rng.random(SIZES[0])), rounds)
    for dtype in DTYPES:
        for size in SIZES:
            a = rng.random(size, dtype)
            found[dtype][size] = with_read_limit(python_calls(a), a, rounds)
    return found


class Figure(NamedTuple):
    """What was measured, and what it was to reach: at least if in `TIMES`, else at most."""

    regime: str
    dtype: str
    size: "int | str"
    against: str
    reach: float
    aim: float
    measured: float
    unit: str
    read: "float | None" = None  # the same of a plain read, where that may be the limit

    def verdict(self):
        """Return which of the two it came to."""
        sign = 1 if self.unit == TIMES else -1
        if sign * self.measured < sign * self.reach:
            # (Only times as fast have one. And far below it, something else is the limit.)
            beyond = self.read is not None and self.read < self.reach
            is_near = beyond and self.measured >= NEAR_A_READ * self.read
            return "nor a plain read" if is_near else "**NO**"
        return "reach" if sign * self.measured < sign * self.aim else "aim"

    def markdown(self):
        """Return its row of the table."""
        bound = ">=" if self.unit == TIMES else "<="
        size = f"{self.size:,}" if isinstance(self.size, int) else self.size
        read = "" if self.read is None else f"{self.read:.3g}{self.unit}"
        return (
            f"| {self.regime} | {self.dtype} | {size} | {self.against} "
            f"| {bound} {self.reach:g} | {bound} {self.aim:g} "
            f"| {self.measured:.3g}{self.unit} | {read} | {self.verdict()} |"
        )


# regime, sizes, dtypes, against, reach, aim, unit
RATIOS = [
    ("from DRAM", [DRAM], DTYPES, READ, 0.97, 1, TIMES),
    ("from DRAM", [DRAM], DTYPES, "numpy", 1.05, 1.1, TIMES),
    ("from DRAM", [DRAM], DTYPES, FASTEST, 0.97, 1, TIMES),
    ("from L2, L3", [10**5, 10**6], ["float64"], "numpy", 1.8, 2.2, TIMES),
    ("from L2, L3", [10**5, 10**6], ["float64"], "polars", 1, 1.1, TIMES),
    ("from L2, L3", [10**5, 10**6], ["float32"], "numpy", 2.8, 3.2, TIMES),
    ("from L2, L3", [10**5, 10**6], ["float32"], "polars", 1.05, 1.2, TIMES),
    ("from L1, L2", [10**4], DTYPES, "numpy", 2.5, 4, TIMES),
    ("from L1, L2", [10**4], DTYPES, "polars", 0.7, 1, TIMES),
    ("a call from Python", [8], ["float64"], "numpy", 5, 6, TIMES),
    ("a call from Python", [8], ["float64"], "bottleneck", 6, 5, SLOWER),
]


def ratios(times):
    """Yield the figures of `RATIOS`."""
    for regime, sizes, dtypes, against, reach, aim, unit in RATIOS:
        for dtype in dtypes:
            for size in sizes:
                row = times[dtype][size]
                peers = {name: row[name] for name in row if name not in (US, READ)}
                peer = min(peers, key=peers.get) if against == FASTEST else against
                label = f"{against}: {peer}" if against == FASTEST else against
                faster = row[peer] / row[US]
                measured = faster if unit == TIMES else 1 / faster
                # (A short call has other limits.)
                read = row[peer] / row[READ] if size >= 10**4 and peer != READ else None
                yield Figure(regime, dtype, size, label, reach, aim, measured, unit, read)


def c_calls(rounds):
    """Yield the nanoseconds of a call from C: each on another array, all of them in the L2."""
    rng = np.random.default_rng(0)
    for size, reach, aim in (8, 40, 20), (100, 60, 40), (1000, 180, 120):
        arrays = 2**16 // size
        a = rng.normal(size=(arrays, size))
        functions = {US: lib.mean_f64, "sum": ffi.addressof(FAST, "plain_sum")}
        timers = {name: clock_in_c(call, a, arrays) for name, call in functions.items()}
        found = medians(timers, rounds)
        beside = f"a plain SIMD sum: {found['sum'] * 1e9:.0f} ns"
        yield Figure("a call from C", "float64", size, beside, reach, aim, found[US] * 1e9, NS)


def times_as_fast_as_numpy(dtype, rounds):
    """Return how many times as fast as NumPy at a million elements, called again and again."""
    a = np.random.default_rng(0).random(10**6, dtype)
    found = medians({US: clock(mean.compute_mean, a), "numpy": clock(np.mean, a)}, rounds)
    return found["numpy"] / found[US]


def again(rounds):
    """Yield the figures of calls each of which finds what the one before left in the caches."""
    for dtype in DTYPES:
        faster = times_as_fast_as_numpy(dtype, rounds)
        yield Figure("again and again", dtype, 10**6, "numpy", 1, 1.5, faster, TIMES)


def forced(level, rounds):
    """Yield the figures of a process whose library is forced to `level`; NumPy's is not."""
    for dtype in DTYPES:
        code = f"import bench; print(bench.times_as_fast_as_numpy({dtype!r}, {rounds}))"
        run = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "MEAN_SIMD": level},
            cwd=HERE,
            check=True,
            stdout=subprocess.PIPE,
        )
        yield Figure(
            f"forced to {level}", dtype, 10**6, "numpy", 0.5, 0.8, float(run.stdout), TIMES
        )


def worst_cases(size):
    """Return by name arrays of float64 that no window fits."""
    rng = np.random.default_rng(0)
    scattered = np.ldexp(rng.normal(size=size), rng.integers(-1000, 1000, size))
    half = np.ldexp(rng.normal(size=size // 2 - 1), rng.integers(0, 200, size // 2 - 1))
    blocks = np.where(np.arange(size) // 4096 % 2, 1e300, 1e-300)
    return {
        "each element on another exponent": scattered,
        "ascending exponents": np.sort(np.abs(scattered)),
        "cancellation of 200 bits": rng.permutation(np.concatenate([half, -half, [1, 1]])),
        "mixed signs near 1e308": rng.uniform(1e308, 1.7e308, size) * rng.choice([-1, 1], size),
        "blocks of huge and tiny": blocks * rng.normal(size=size),
    }


def never_a_cliff(rounds):
    """Yield nanoseconds per element of the worst cases, and how much more a larger array takes.

    Nothing, where the time grows linearly: except what the memory takes, which a read shows.
    """
    small, large = 10**6, 10**7
    each = {}
    for size in small, large:
        cases = worst_cases(size)
        timers = {name: after_a_pass(clock(mean.compute_mean, a), a) for name, a in cases.items()}
        found = with_read_limit(timers, next(iter(cases.values())), rounds)
        each[size] = {name: 1e9 * seconds / size for name, seconds in found.items()}
    for name in cases:
        for size in small, large:
            beside = f"a plain read: {each[size][READ]:.2f} ns"
            yield Figure(name, "float64", size, beside, 3, 3, each[size][name], NS_EACH)
        beside = f"itself at {small:,}, or a read"
        growth = each[large][name] / max(each[small][name], each[large][READ])
        yield Figure(name, "float64", large, beside, 1.5, 1.2, growth, SLOWER)


def table_of_figures(figures):
    """Return the figures in Markdown."""
    columns = "regime | dtype | n or shape | against | reach | aim | measured | read | met"
    rule = "|---|---|--:|---|--:|--:|--:|--:|---|"
    return "\n".join([f"| {columns} |", rule, *(figure.markdown() for figure in figures)])


def table_of_times(by_size):
    """Return the medians of one dtype in Markdown: microseconds, and how near to the read limit."""
    names = list(next(iter(by_size.values())))
    lines = ["| n | " + " | ".join(names) + " |", "|--:" * (len(names) + 1) + "|"]
    for size, row in by_size.items():
        cells = [
            f"{row[name] * 1e6:,.4g} ({row[READ] / row[name]:.0%})" if name in row else ""
            for name in names
        ]
        lines.append(f"| {size:,} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def machine():
    """Return what the figures were measured on, and with what."""
    info = Path("/proc/cpuinfo").read_text().splitlines() if sys.platform == "linux" else []
    cpu = next((line.split(": ")[1] for line in info if line.startswith("model name")), "")
    compiler = subprocess.run(["cc", "--version"], check=True, stdout=subprocess.PIPE, text=True)
    return "\n".join(
        f"- {line}"
        for line in [
            f"{date.today()}, load average before the run {os.getloadavg()[0]:.2f}",
            f"{cpu or platform.processor()}, {os.cpu_count()} cores, {platform.platform()}",
            f"mean {mean.__version__} at level {mean.simd_level()}",
            f"Python {platform.python_version()}; "
            + ", ".join(f"{name} {version(name)}" for name in PACKAGES),
            compiler.stdout.splitlines()[0],
        ]
    )


def draw(times, path):
    """Draw throughput against n: a line per peer, and the read limit."""
    figure, panels = plt.subplots(1, 2, figsize=(12, 5.5), sharey=True, layout="constrained")
    figure.suptitle("Throughput of a mean on one thread, called from Python")
    for panel, (dtype, by_size) in zip(panels, times.items()):
        colors = iter(PEER_COLORS)
        for name in next(iter(by_size.values())):
            style = STYLES.get(name) or {"color": next(colors)}
            timed = {n: row[name] for n, row in by_size.items() if name in row}
            speeds = [n * np.dtype(dtype).itemsize / t / 1e9 for n, t in timed.items()]
            panel.plot(list(timed), speeds, label=name, **style)
        panel.set(title=dtype, xscale="log", yscale="log", xlabel="n (elements)")
        panel.yaxis.set_major_formatter("{x:g}")
        panel.grid(alpha=0.3)
    panels[0].set_ylabel("GB/s")
    label_ends(panels[1])
    figure.savefig(path, dpi=100)


def label_ends(panel):
    """Write the name of each line beside its end, in the order of the ends."""
    lines = sorted(panel.get_lines(), key=lambda line: line.get_ydata()[-1])
    for height, line in zip(np.linspace(0.3, 0.98, len(lines)), lines):
        panel.annotate(
            line.get_label(),
            xy=line.get_xydata()[-1],
            xytext=(1.1, height),
            textcoords="axes fraction",
            verticalalignment="center",
            color=line.get_color(),
            weight="bold" if line.get_label() == US else None,
            arrowprops={"arrowstyle": "-", "color": line.get_color(), "relpos": (0, 0.5)},
        )


PAGE = """\
# Benchmarks

Written by `make bench`; do not edit. Every figure is of medians of {rounds} rounds, in which all
take turns, in an order that changes; of processor time, of all threads. Before each call an array
of 2 MB and more is read once, from its beginning to its end, as what made it would leave it in the
caches: what reads from the end, as compute_mean and one of the plain reads do, gains from that.
(Not where the same is called "again and again", or "forced" to a level.)

{machine}

![Throughput against n](throughput.png)

## Figures

Against a peer: how many times as fast. "read" is the same of a plain SIMD read of the memory, in
the same run, where that may be the limit. "reach" must be met, "aim" is hoped for; "met" says
which was, or that not even a plain read does.

{figures}

## Axes, strides, dtypes and masks

{along}

## All medians

Microseconds of a call, and its throughput relative to the read limit: the fastest of four plain
SIMD reads of the same bytes (32 and 64 bytes wide, from the end, and in eight streams), timed in C.
All others are called from Python, on one thread. bottleneck has but a `nanmean`, numkong but a sum.
compute_mean and xsum (which converts float32) are exact, fsum is so but for the division. C is the
tutorial's loop, at `-O3` and at `-O3 -march=native -ffast-math`.

{times}
"""


def main():
    """Measure, and write both files."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=HERE.parent / "docs")
    parser.add_argument("--rounds", type=int, default=51, help="samples of each median")
    arguments = parser.parse_args()
    rounds, about = arguments.rounds, machine()
    times = from_python(rounds)
    figures = [*ratios(times), *again(rounds), *c_calls(rounds), *never_a_cliff(rounds)]
    if platform.machine() in ("x86_64", "AMD64"):
        figures += forced("sse2", rounds)
    import reductions  # which needs what is defined here

    along = list(reductions.figures(rounds))
    arguments.output.mkdir(parents=True, exist_ok=True)
    draw(times, arguments.output / "throughput.png")
    page = PAGE.format(
        rounds=rounds,
        machine=about,
        figures=table_of_figures(figures),
        along=table_of_figures(along),
        times="\n\n".join(f"### {dtype}\n\n{table_of_times(t)}" for dtype, t in times.items()),
    )
    (arguments.output / "benchmarks.md").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
