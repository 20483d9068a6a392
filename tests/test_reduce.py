"""compute_mean over axes, masks, NaNs, dtypes, layouts and results, against rational arithmetic."""

import inspect
import itertools
import math
import os
import re
import subprocess
import sys
import textwrap
import warnings
from fractions import Fraction
from functools import partial

import numpy as np
import pytest
from checks import check, every_dtype, every_float, named
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view
from oracle import (
    EMPTY,
    FORMATS,
    NANS,
    NAT,
    OVERFLOW,
    PARTS,
    bfloat16,
    expected,
    result_dtype,
    round_to,
    same,
    warned,
)
from strategies import (
    COMPLEX,
    DTYPES,
    FLAVOURS,
    INTEGERS,
    REALS,
    RESULTS,
    TIMES,
    arrays,
    draw_axes,
    draw_mask,
    draw_out,
    edges,
    fill,
    shape_of_result,
    special,
    swapped,
)

import mean
from mean import MeanError, Status, compute_mean

AxisError = getattr(np, "exceptions", np).AxisError  # moved in NumPy 1.25
needs_bfloat16 = pytest.mark.skipif(bfloat16 is None, reason="needs ml_dtypes")


@settings(max_examples=4 * settings().max_examples)
@given(st.data())
def test_any_call_is_what_the_definition_says(data):
    draw = data.draw
    a = draw(arrays())
    options = {"axis": draw_axes(draw, a.ndim), "keepdims": draw(st.booleans())}
    if draw(st.booleans()):
        options["where"] = draw_mask(draw, a)
    if draw(st.booleans()):
        options["skipna"] = True
    default = result_dtype(a.dtype)
    choices = [d for d in RESULTS if d.kind == "c" or default.kind != "c"]
    if a.dtype.kind not in "mM" and draw(st.booleans()):
        options["dtype"] = draw(st.sampled_from(choices))
    if draw(st.booleans()):
        check(a, **options)
        return
    of, casting = options.get("dtype"), "safe"
    if of is None:
        of, casting = default, "same_kind"
    allowed = [d for d in choices if np.can_cast(of, d, casting)]
    dtype = default if a.dtype.kind in "mM" else draw(st.sampled_from(allowed))
    out, block = draw_out(draw, shape_of_result(a, options["axis"], options["keepdims"]), dtype)
    if check(a, out, **options) is None:
        assert (block == 0x55).all()
    out.view(f"V{dtype.itemsize}")[...] = np.void(b"\x55" * dtype.itemsize)
    assert (block == 0x55).all()  # nothing but the result was written


@every_float
def test_rounding_of_the_oracle_is_the_hardwares(dtype):
    # The oracle is truth here; conversions of NumPy and Python witness for it.
    rng = np.random.default_rng(3)
    doubles = np.frombuffer(rng.bytes(8 * 2000), np.float64)
    scaled = np.ldexp(rng.standard_normal(2000), rng.integers(-170, 130, 2000))
    for x in np.concatenate([doubles[np.isfinite(doubles)], scaled, edges(np.dtype("f8"))]):
        rounded = round_to(Fraction(float(x)), *FORMATS[dtype.type])
        with np.errstate(all="ignore"):
            witness = float(np.array([x]).astype(dtype)[0])
        assert (math.inf if rounded is None else abs(float(rounded))) == abs(witness)
    third = round_to(Fraction(1, 3), *FORMATS[np.float64])
    assert third == Fraction(1 / 3)


# Result dtypes and types.


def test_a_time_keeps_its_own_name_of_a_unit():
    for unit in "m8[1000ms]", "m8[s]", "m8[1000ms]":  # which are equal
        assert compute_mean(np.array([1, 3], unit), axis=0).dtype.str == np.dtype(unit).str


@pytest.mark.parametrize(
    ("dtype", "result"),
    [(dtype, "f8") for dtype in INTEGERS]
    + [(dtype, dtype) for dtype in [*REALS, *COMPLEX, *TIMES]]
    + [
        (">i4", "f8"),
        (">f2", "f2"),
        (">f4", "f4"),
        (">f8", "f8"),
        (">c8", "c8"),
        (">M8[s]", "M8[s]"),
    ],
    ids=str,
)
def test_result_dtype(dtype, result):
    a = np.zeros((2, 3), dtype)
    scalar, array = compute_mean(a), compute_mean(a, axis=0)
    for mean_ in (scalar, array):
        assert mean_.dtype == np.dtype(result)
        assert mean_.dtype.isnative
    assert type(scalar) is np.dtype(result).type
    assert type(array) is np.ndarray


def test_scalar_or_array_as_numpy_returns_it():
    a = np.arange(6.0).reshape(2, 3)
    for array, axis, keepdims in [
        (a, None, False),
        (a, None, True),
        (a, (), False),
        (a, (0, 1), False),
        (a, (0, 1), True),
        (a, 1, False),
        (a[0], 0, False),
        (a[0], 0, True),
        (np.array(3.0), None, True),
        (np.array(3.0), (), False),
        (np.array(3.0), (), True),
    ]:
        result = compute_mean(array, axis, keepdims=keepdims)
        assert same(result, np.mean(array, axis, keepdims=keepdims))


def test_an_array_result_is_the_callers_own():
    for columns in (3, 1000):
        a = np.arange(2.0 * columns).reshape(2, columns)
        for axis in (0, 1, ()):
            result = compute_mean(a, axis)
            assert result.flags.writeable
            assert not np.shares_memory(result, a)
            before = result.copy()
            assert not np.shares_memory(result, compute_mean(-a, axis))
            assert (result == before).all()


def test_the_signature_is_numpys_with_skipna():
    names = ["a", "axis", "dtype", "out", "keepdims", "where", "skipna"]
    parameters = inspect.signature(compute_mean).parameters
    assert list(parameters) == names
    keyword_only = [n for n, p in parameters.items() if p.kind is p.KEYWORD_ONLY]
    assert keyword_only == ["where", "skipna"]
    out = np.empty((1, 3), np.float32)
    assert compute_mean(np.ones((2, 3)), 0, None, out, True) is out
    assert compute_mean.__module__ == mean.__name__


def test_lists_have_axes_too():
    assert same(compute_mean([[1, 2], [3, 5]], axis=0), np.array([2, 3.5]))
    assert same(compute_mean(((True, False),), axis=-1), np.array([0.5]))
    assert same(compute_mean([1, 2, 4], where=[True, False, True]), np.float64(2.5))
    assert same(compute_mean([1, math.nan], skipna=True), np.float64(1))


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
def test_matrix_and_memmap_count_as_arrays(tmp_path):
    result = compute_mean(np.matrix([[1.0, 2.0], [3.0, 8.0]]), axis=0)
    assert same(result, np.array([2.0, 5.0]))
    mapped = np.memmap(tmp_path / "file", np.float32, "w+", shape=(2, 3))
    assert same(compute_mean(mapped, axis=0), np.zeros(3, np.float32))
    assert compute_mean(np.ones((3, 3)), 1, out=mapped[0]).tolist() == [1, 1, 1]


# Integers and truth values.


@pytest.mark.parametrize(
    ("values", "dtype", "mean_"),
    [
        ([2**53, 1, 1, -(2**53)], "i8", 0.5),
        ([2**63 - 1] * 10, "i8", 2.0**63),
        ([-(2**63)] * 10, "i8", -(2.0**63)),
        ([2**63 - 1, -(2**63)], "i8", -0.5),
        ([2**63 - 1, -(2**63), 1], "i8", 0.0),
        ([2**64 - 1] * 10, "u8", 2.0**64),
        ([2**64 - 1, 0, 0], "u8", float(Fraction(2**64 - 1, 3))),
        ([2**64 - 1, 1], "u8", 2.0**63),
        ([2**53 + 1], "i8", 2.0**53),
        ([2**53 + 3], "u8", 2.0**53 + 4),
        ([2**53, 2**53 + 1, 2**53 + 1], "i8", 2.0**53),
        ([-128] * 3, "i1", -128.0),
        ([255] * 3, "u1", 255.0),
        ([True, False, False], "?", 1 / 3),
    ],
)
def test_integers_are_exact(values, dtype, mean_):
    for order in ("<", ">"):
        a = np.array(values, np.dtype(dtype).newbyteorder(order))
        assert same(compute_mean(a), np.float64(mean_))
        for count in (2, 20):
            for table, axis in (np.array([a] * count), 1), (np.array([a] * count).T.copy(), 0):
                assert same(compute_mean(table, axis), np.full(count, mean_, float))


def test_sums_of_integers_beyond_float64():
    sums = [sign * (2**53 + k) for k in range(-3, 4) for sign in (1, -1)] + [2**62, 1 - 2**62]
    for n in (3, 5, 7, 1000):
        table = np.zeros((n, len(sums)), np.int64)
        table[0], table[-1] = sums, 1
        means = [Fraction(total + 1, n) for total in sums]
        # (Python's division of integers is rounded once.)
        wanted = np.array([mean.numerator / mean.denominator for mean in means])
        assert same(compute_mean(table, axis=0), wanted)
        assert same(compute_mean(table.T.copy(), axis=1), wanted)


def test_any_byte_but_zero_is_true():
    a = np.array([0, 1, 2, 255, 128, 0], np.uint8).view(bool)
    assert same(compute_mean(a), np.float64(4 / 6))
    assert same(compute_mean(np.arange(6.0), where=a), np.float64(2.5))
    long = np.tile(np.array([0, 1, 2, 255, 128, 0, 64], np.uint8), 1000).view(bool)
    assert same(compute_mean(long), np.float64(5 / 7))
    assert same(compute_mean(np.arange(7000) % 7, where=long), np.float64(16 / 5))


@pytest.mark.parametrize("dtype", INTEGERS)
def test_skipna_changes_no_integers(dtype):
    a = fill(np.dtype(dtype), (7, 9), "bits", 0.1, np.random.default_rng(4))
    for axis in (None, 0, 1):
        assert same(compute_mean(a, axis, skipna=True), compute_mean(a, axis))


# Floats.


@every_float
def test_promised_floats(dtype):
    precision, low, high = FORMATS[dtype.type]
    small = math.ldexp(1, low - precision + 1)
    top = math.ldexp(2 - math.ldexp(1, 1 - precision), high)
    for values, mean_ in [
        ([top] * 3, top),
        ([-top] * 7, -top),
        ([top, -top, 3], 1),
        ([top, top, -top], top / 3 if dtype == np.float64 else None),
        ([small, 0], 0),
        ([small, small, 0], small),
        ([small, 2 * small], 2 * small),
        ([-small, 0], -0.0),
        ([-small, 0, 0], -0.0),
        ([-0.0], 0.0),
        ([-0.0, -0.0, -0.0], 0.0),
        ([small, -small], 0.0),
        ([math.inf, top], math.inf),
        ([-math.inf, top], -math.inf),
        ([math.inf, -math.inf], math.nan),
        ([math.inf, math.nan], math.nan),
        ([-math.nan, 1], math.nan),
    ]:
        a = np.array(values).astype(dtype)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            result = compute_mean(a)
        assert same(result, expected(a)[0])
        if mean_ is not None and not math.isnan(mean_):
            assert same(result, np.array([mean_]).astype(dtype)[0])
        if mean_ is not None and math.isnan(mean_):
            assert result.tobytes() == NANS[dtype.type].tobytes()
        assert same(compute_mean(np.stack([a, a], 1), axis=0), np.array([result, result]))


@every_float
def test_each_element_is_its_own_mean_over_no_axes(dtype):
    # Nothing is added, yet zeros lose their sign, and NaNs their sign and payload.
    a = np.concatenate([edges(dtype), special(dtype)])
    for b, axis in [(a, ()), (a[:, None], 1), (a[None], 0), (np.stack([a, a, a]), 0)]:
        check(b, axis=axis)
        check(b, axis=axis, skipna=True)
    assert not np.signbit(compute_mean(np.array([-0.0], dtype), axis=())[0])


def test_sums_far_beyond_float16():
    a = np.full(100_000, 65504, np.float16)
    assert same(compute_mean(a), np.float16(65504))
    a[0] = -65504
    assert same(compute_mean(a), np.float16(65504))  # 65502.7 is nearest to it
    assert same(compute_mean(a.reshape(1000, 100), axis=0), np.array([65376] + [65504] * 99, "f2"))
    tie = np.ones(2**16, np.float16)
    tie[: 2**15] += np.float16(2**-10)  # the mean is half way between 1 and the next
    assert same(compute_mean(tie), np.float16(1))
    tie[-1] += np.float16(2**-10)  # a little more: float32 would round it to half way first
    assert same(compute_mean(tie), np.float16(1 + 2**-10))


# Complex numbers.


@pytest.mark.parametrize("dtype", COMPLEX)
def test_the_parts_of_complex_numbers_are_independent(dtype):
    nan, inf = math.nan, math.inf
    for values, real, imag in [
        ([complex(1, 2), complex(2, 4)], 1.5, 3.0),
        ([complex(nan, 2), complex(2, 4)], nan, 3.0),
        ([complex(1, inf), complex(2, 4)], 1.5, inf),
        ([complex(inf, -inf), complex(inf, 0)], inf, -inf),
        ([complex(inf, 1), complex(-inf, 1)], nan, 1.0),
        ([complex(-0.0, -0.0)], 0.0, 0.0),
    ]:
        a = np.array(values, dtype)
        part = PARTS[a.dtype.type]
        result = compute_mean(a)
        for got, wanted in [(result.real, real), (result.imag, imag)]:
            assert same(got, NANS[part] if math.isnan(wanted) else part(wanted))
        check(a)
        check(a[:, None], axis=0)


@pytest.mark.parametrize("dtype", COMPLEX)
def test_skipna_skips_a_complex_number_of_which_either_part_is_nan(dtype):
    nan = math.nan
    a = np.array([complex(nan, 10), complex(10, nan), complex(nan, nan), 1 + 2j, 3 + 6j], dtype)
    assert same(compute_mean(a, skipna=True), a.dtype.type(2 + 4j))
    check(np.stack([a, a]), axis=1, skipna=True)
    check(np.stack([a, a]), axis=0, skipna=True)
    check(np.tile(a, 1000), skipna=True)


# Times.


@pytest.mark.parametrize("kind", ["m8", "M8"])
@pytest.mark.parametrize("unit", ["ns", "s", "3h", "D", "Y"])
@pytest.mark.parametrize(
    ("ticks", "mean_"),
    [
        ([1, 2], 2),
        ([2, 3], 2),
        ([0, 1], 0),
        ([-1, 0], 0),
        ([-1, -2], -2),
        ([-2, -3], -2),
        ([1, 1, 2], 1),
        ([1, 2, 2], 2),
        ([2**63 - 1] * 5, 2**63 - 1),
        ([NAT + 1] * 5, NAT + 1),
        ([NAT + 1, 2**63 - 1], 0),
        ([2**63 - 1, 2**63 - 2], 2**63 - 2),
        ([NAT + 1, NAT + 2], NAT + 2),
        ([1, NAT, 3], NAT),
        ([NAT], NAT),
    ],
)
def test_times_are_rounded_to_their_unit(kind, unit, ticks, mean_):
    a = np.array(ticks, np.int64).view(f"{kind}[{unit}]")
    wanted = np.array(mean_, np.int64).view(a.dtype)[()]
    assert same(compute_mean(a), wanted)
    assert same(compute_mean(swapped(None, a)), wanted)
    assert same(compute_mean(np.stack([a, a], 1), axis=0), np.array([wanted, wanted]))


def test_skipna_skips_nat():
    a = np.array([[1, NAT, 4], [NAT, NAT, 5]], np.int64).view("m8[s]")
    assert same(compute_mean(a, skipna=True), np.timedelta64(3, "s"))
    assert same(compute_mean(a, 1, skipna=True), np.array([2, 5], "m8[s]"))
    result, messages = warned(lambda: compute_mean(a, 0, skipna=True))
    assert same(result, np.array([1, NAT, 4], np.int64).view("m8[s]"))
    assert messages == [EMPTY]


def test_a_nat_that_does_not_count_does_no_harm():
    a = np.array(["2026-01-01", "NaT", "2026-01-04"], "M8[D]")
    assert np.isnat(compute_mean(a))
    assert compute_mean(a, where=~np.isnat(a)) == np.datetime64("2026-01-03")  # a tie: to even


# dtype=


def rounded_twice(dtype):
    """Return an array whose mean rounds to float64 half way between two numbers of a dtype."""
    half = 2.0 ** -FORMATS[np.dtype(dtype).type].precision
    return np.array([1 + half] * 3 + [1 + half + 2.0**-52])


@pytest.mark.parametrize("dtype", [d for d in REALS if d != "f8"], ids=str)
def test_dtype_is_rounded_to_once(dtype):
    a = rounded_twice(dtype)
    eps = 2.0 ** (1 - FORMATS[np.dtype(dtype).type].precision)
    wanted = np.array([1 + eps]).astype(dtype)[0]
    assert float(np.array([np.mean(a)]).astype(dtype)[0]) == 1  # the trap is one
    assert same(compute_mean(a, dtype=dtype), wanted)
    assert same(compute_mean(-a, dtype=dtype), -wanted)
    assert same(compute_mean(np.stack([a, a], 1), 0, dtype), np.array([wanted, wanted]))
    out = np.empty((), dtype)
    assert same(compute_mean(a, out=out)[()], wanted)


def test_wide_integers_are_rounded_to_dtype_once():
    # Nearest in float64 is 2**62 + 2**38, half way between two float32.
    a = np.array([2**62 + 2**38 + 1], np.int64)
    assert same(compute_mean(a, dtype="f4"), np.float32(2**62 + 2**39))
    assert same(compute_mean(a.view(np.uint64), dtype="f4"), np.float32(2**62 + 2**39))


def test_elements_are_not_cast_to_dtype_first():
    assert same(compute_mean([1e300, -1e300, 3.0], dtype="f2"), np.float16(1))
    assert same(compute_mean([2**53 + 1, -(2**53)], dtype="f2"), np.float16(0.5))
    assert same(compute_mean(np.array([1, 2], "f2"), dtype="f8"), np.float64(1.5))
    third = compute_mean(np.array([0, 0, 1], "f2"), dtype="f8")
    assert same(third, np.float64(1 / 3))  # not the third of float16


@pytest.mark.parametrize("source", [d for d in DTYPES if d.kind not in "mM"], ids=named)
def test_any_float_dtype_of_any_numbers(source):
    for dtype in RESULTS:
        if source.kind == "c" != dtype.kind:
            continue
        for flavour, rare in itertools.product(FLAVOURS, (0, 0.1)):
            a = fill(source, (5, 4), flavour, rare, np.random.default_rng(5))
            for axis in (None, 0, ()):
                check(a, axis=axis, dtype=dtype)


@pytest.mark.parametrize("dtype", [float, "float32", ">f4", np.float16, np.dtype(">c8"), complex])
def test_what_names_a_dtype(dtype):
    result = compute_mean([1, 2], dtype=dtype)
    assert same(result, np.dtype(dtype).type(1.5))
    assert result.dtype.isnative


@pytest.mark.parametrize(
    ("of", "dtype"),
    [
        ("f8", "i8"),
        ("i8", "i8"),
        ("i4", "u1"),
        ("f8", "?"),
        ("?", "?"),
        ("c16", "f8"),
        ("c8", "f4"),
        ("m8[s]", "m8[s]"),
        ("m8[s]", "f8"),
        ("m8[s]", "i8"),
        ("M8[s]", "M8[D]"),
        ("f8", "m8[s]"),
        ("f8", np.longdouble),
        ("f8", np.clongdouble),
        ("f8", object),
        ("f8", "S8"),
        ("f8", "U8"),
        ("f8", [("x", "f8")]),
    ],
    ids=str,
)
def test_dtype_is_refused(of, dtype):
    for shape in [(3,), (0, 3)]:
        for axis in (None, 0):
            with pytest.raises(TypeError):
                compute_mean(np.ones(shape, np.int8).astype(of), axis, dtype)


def test_narrowing_that_overflows_gives_inf_and_one_warning():
    inf = math.inf
    for values, dtype, axis, wanted, messages in [
        ([1e300], "f4", None, inf, [OVERFLOW]),
        ([-1e300], "f4", None, -inf, [OVERFLOW]),
        ([65519.9], "f2", None, 65504, []),
        ([65520], "f2", None, inf, [OVERFLOW]),
        ([10**6, 10**6], "f2", None, inf, [OVERFLOW]),
        ([1e300, -1e300], "f4", None, 0, []),
        ([1e300, inf], "f4", None, inf, []),
        ([1e300, math.nan], "f4", None, math.nan, []),
        ([[1e300, inf, 1.0, -1e300]], "f4", 0, [inf, inf, 1, -inf], [OVERFLOW]),
        ([1e300 + 1j, 1], "c8", None, complex(inf, 0.5), [OVERFLOW]),
        ([complex(inf, 1e300)], "c8", None, complex(inf, inf), [OVERFLOW]),
        ([complex(inf, 1)], "c8", None, complex(inf, 1), []),
        ([1e300], "c8", None, complex(inf, 0), [OVERFLOW]),
    ]:
        a = np.array(values)
        result, caught = warned(lambda a=a, axis=axis, dtype=dtype: compute_mean(a, axis, dtype))
        assert same(result, np.array(wanted, dtype)[()]), values
        assert caught == messages, values
        out = np.empty(np.shape(wanted), dtype)
        result, caught = warned(lambda a=a, axis=axis, out=out: compute_mean(a, axis, out=out))
        assert out.tobytes() == np.array(wanted, dtype).tobytes(), values
        assert caught == messages, values


@needs_bfloat16
def test_float16_is_narrower_than_bfloat16():
    a = np.array([1e10], bfloat16)
    result, messages = warned(lambda: compute_mean(a, dtype="f2"))
    assert same(result, np.float16(math.inf))
    assert messages == [OVERFLOW]


def test_a_number_that_underflows_is_no_cause_for_a_warning():
    for a, wanted in [([1e-300], 0.0), ([-1e-300], -0.0), ([1e-40], 1e-40)]:
        assert same(compute_mean(a, dtype="f4"), np.float32(wanted))


def test_numpys_error_state_does_not_matter():
    with np.errstate(all="raise"):
        check(np.array([5e-324, 0.0, 1e308, 1e308]))
        check(np.array([1e-300, 1e300]), dtype=np.dtype("f8"))
        check(np.array([-1e-300]), dtype=np.dtype("f4"))
        check(np.array([math.nan, math.inf]))
        check(np.array([1e-300]), np.empty((), "f4"))


# out=


@every_dtype
def test_out_is_returned_and_written(dtype):
    a = fill(dtype, (3, 4), "small", 0, np.random.default_rng(6))
    for axis, keepdims in itertools.product([None, 0, 1, ()], [False, True]):
        wanted = expected(a, axis, keepdims=keepdims)[0]
        out = np.empty(np.shape(wanted), result_dtype(dtype))
        assert compute_mean(a, axis, out=out, keepdims=keepdims) is out
        assert same(out[()], wanted)


@pytest.mark.parametrize(
    ("of", "out"),
    [
        ("f8", "f2"),
        ("f8", "f4"),
        ("f8", "c8"),
        ("f4", "f8"),
        ("f2", "f8"),
        ("i8", "f4"),
        ("?", "f2"),
        ("u8", "c16"),
        ("c16", "c8"),
        ("c8", "c16"),
        ("f4", "c16"),
    ],
)
def test_without_dtype_the_result_has_outs(of, out):
    for flavour in FLAVOURS:
        a = fill(np.dtype(of), (4, 3), flavour, 0, np.random.default_rng(7))
        for order in "<>":
            check(a, np.empty(3, np.dtype(out).newbyteorder(order)), axis=0)
            check(a, np.empty((), np.dtype(out).newbyteorder(order)))


def test_a_wide_out_takes_the_mean_and_not_a_rounded_one():
    out = np.empty((), np.float64)
    compute_mean(np.array([0, 0, 1], np.float32), out=out)
    assert same(out[()], np.float64(1 / 3))
    compute_mean(np.array([0, 0, 1], np.float32), out=out, dtype="f4")
    assert same(out[()], np.float64(np.float32(1 / 3)))  # unless told to
    compute_mean([0, 0, 1], out=out, dtype="f2")
    assert same(out[()], np.float64(np.float16(1 / 3)))


@pytest.mark.parametrize(
    ("of", "dtype", "out"),
    [
        ("f8", None, "i8"),
        ("i8", None, "i8"),
        ("?", None, "?"),
        ("c16", None, "f8"),
        ("c8", None, "f4"),
        ("m8[s]", None, "i8"),
        ("m8[s]", None, "f8"),
        ("m8[s]", None, "M8[s]"),
        ("M8[s]", None, "m8[s]"),
        ("f8", None, "m8[s]"),
        ("f8", None, object),
        ("f8", None, "S30"),
        ("f8", None, np.longdouble),
        ("c16", None, np.clongdouble),
        ("f8", None, [("x", "f8")]),
        ("f8", "f8", "f4"),
        ("f8", "f4", "f2"),
        ("i8", "c8", "f8"),
        ("f8", "f8", "c8"),
        ("m8[s]", "m8[s]", "m8[s]"),
        ("f8", "f4", "i8"),
    ],
    ids=str,
)
def test_out_of_a_wrong_dtype_is_refused(of, dtype, out):
    out = np.zeros((), out)
    before = out.tobytes()
    with pytest.raises(TypeError):
        compute_mean(np.ones(3, np.int8).astype(of), dtype=dtype, out=out)
    assert out.tobytes() == before


def test_out_of_a_wrong_shape_is_refused():
    a = np.ones((2, 3))
    for axis, keepdims, shape in [
        (0, False, (2,)),
        (0, False, (1, 3)),
        (0, False, (3, 1)),
        (0, False, (2, 3)),  # not even where it broadcasts
        (0, True, (3,)),
        (None, False, (1,)),
        (None, True, ()),
        ((), False, (3, 2)),
        (1, False, ()),
    ]:
        out = np.full(shape, 7.0)
        with pytest.raises(ValueError, match=re.escape(str(shape))):
            compute_mean(a, axis, out=out, keepdims=keepdims)
        assert (out == 7).all()


def test_out_that_cannot_be_written_to_is_refused():
    out = np.zeros(3)
    out.flags.writeable = False
    for bad in (out, np.broadcast_to(np.zeros(()), 3)):
        with pytest.raises(ValueError, match="read-only"):
            compute_mean(np.ones((2, 3)), 0, out=bad)
    assert (out == 0).all()


def test_out_that_is_no_array_is_refused():
    for bad in ([0.0] * 3, np.float64(0), (np.zeros(3), np.zeros(3)), 1):
        with pytest.raises(TypeError):
            compute_mean(np.ones((2, 3)), 0, out=bad)


OVERLAPS = {
    "the first row": lambda a: (a, 0, False, a[0]),
    "the last row": lambda a: (a, 0, False, a[-1]),
    "the first column": lambda a: (a, 1, False, a[:, 0]),
    "a column backwards": lambda a: (a, 1, False, a[::-1, 1]),
    "the kept axis": lambda a: (a, 1, True, a[:, :1]),
    "itself": lambda a: (a, (), False, a),
    "itself backwards": lambda a: (a, (), False, a[::-1, ::-1]),
    "itself, transposed": lambda a: (a[:5, :5], (), False, a[:5, :5].T),
    "an element": lambda a: (a, None, False, a[2, 3, ...]),
    "what windows show": lambda a: (sliding_window_view(a, 3, 1), 2, False, a[:, :-2]),
    "windows, later ones first": lambda a: (sliding_window_view(a, 3, 0), 2, False, a[2:]),
    "beside": lambda a: (a[::2], 0, False, a[1]),
}


@pytest.mark.parametrize("where", [True, np.arange(9) % 2 == 0], ids=["all", "half"])
@pytest.mark.parametrize("overlap", OVERLAPS)
def test_out_may_overlap_the_input(overlap, where):
    block = fill(np.dtype("f8"), (7, 9), "alike", 0, np.random.default_rng(8))
    a, axis, keepdims, out = OVERLAPS[overlap](block)
    where = where if where is True or a.shape[-1] == 9 else True
    (wanted, _), old = expected(a, axis, None, keepdims, where), block.copy()
    mine = np.zeros((7, 9), bool)
    index = np.arange(63).reshape(7, 9)
    touched = OVERLAPS[overlap](index)[3]
    mine.flat[touched.ravel()] = True
    result, _ = warned(lambda: compute_mean(a, axis, out=out, keepdims=keepdims, where=where))
    assert result is out
    assert out.tobytes() == np.asarray(wanted).tobytes()
    assert (block[~mine] == old[~mine]).all()


def test_out_may_overlap_as_another_dtype():
    a = np.arange(1.0, 25.0).reshape(4, 6)
    wanted = compute_mean(a, 1, "f4")
    for k in (0, 3, -1):
        b = a.copy()
        assert same(compute_mean(b, 1, out=b[k].view("f4")[2:6]).copy(), wanted)
    small = np.arange(64, dtype=np.int8).reshape(8, 8)
    wanted = compute_mean(small, 0)
    assert same(compute_mean(small, 0, out=small.reshape(-1).view("f8")).copy(), wanted)


def test_out_may_overlap_the_mask():
    a = fill(np.dtype("f8"), (8, 8), "alike", 0, np.random.default_rng(9))
    for step in (1, -1):
        block = (np.arange(64) % 3 == 0).astype(np.uint8)
        mask = block.view(bool).reshape(8, 8)
        wanted = expected(a, 1, where=mask)[0]
        assert same(compute_mean(a, 1, where=mask, out=block.view("f8")[::step]).copy(), wanted)


# where= and skipna=


@pytest.mark.parametrize(
    "where", [1, 0, 1.0, [1, 0, 1], np.ones(3, np.uint8), None, "yes", [None, True, True], []]
)
def test_a_mask_that_is_not_boolean_is_refused(where):
    for a in (np.ones(3), np.ones((0, 3))):
        with pytest.raises(TypeError):
            compute_mean(a, 0, where=where)


@pytest.mark.parametrize(
    ("shape", "mask"),
    [
        ((3,), (2, 3)),
        ((3,), (1, 3)),
        ((1, 3), (2, 3)),
        ((1,), (3,)),
        ((), (1,)),
        ((), (3,)),
        ((3,), (2,)),
        ((2, 3), (2,)),
        ((2, 3), (3, 2)),
        ((2, 3), (0,)),
        ((2, 3), (0, 3)),
    ],
)
def test_a_mask_never_makes_the_array_larger(shape, mask):
    for axis in (None, (), *range(len(shape))):
        with pytest.raises(ValueError, match="shape"):
            compute_mean(np.ones(shape), axis, where=np.ones(mask, bool))


@every_dtype
def test_cells_with_nothing_left_warn_once(dtype):
    a = fill(dtype, (5, 4), "small", 0, np.random.default_rng(10))
    some = np.zeros((5, 4), bool)
    some[1, 2] = True
    for axis in (None, 0, 1, ()):
        result, messages = warned(lambda axis=axis: compute_mean(a, axis, where=False))
        assert messages == [EMPTY]
        assert is_nothing(result).all()
        check(a, axis=axis, where=False)
        check(a, axis=axis, where=some)
        check(a, axis=axis, where=some[:1])
        check(a, axis=axis, where=some[:, 2:3], skipna=True)
        check(a, np.empty(np.shape(result), result.dtype), axis=axis, where=some)


@pytest.mark.parametrize("dtype", COMPLEX)
def test_the_complex_mean_of_nothing_is_nan(dtype):
    nan = NANS[PARTS[np.dtype(dtype).type]]
    for of in ("i4", "f4", dtype):
        # That of real numbers has no imaginary part.
        wanted = np.array([nan, nan if of == dtype else 0], nan.dtype).view(dtype)[0]
        for options in ({"dtype": dtype}, {"out": np.zeros((), dtype)}):
            result, messages = warned(
                lambda of=of, options=options: compute_mean(np.ones(3, of), where=False, **options)
            )
            assert result.tobytes() == wanted.tobytes()
            assert messages == [EMPTY]


def test_the_complex_mean_of_real_numbers_has_no_imaginary_part():
    assert same(compute_mean([1.0, 2.0], dtype="c8"), np.complex64(1.5))
    for x in (math.nan, math.inf, -0.0):
        result = compute_mean([x], dtype="c16")
        assert same(result.real, compute_mean([x]))
        assert same(result.imag, np.float64(0))


def is_nothing(result):
    return np.isnat(result) if result.dtype.kind in "mM" else result != result


@pytest.mark.parametrize("shape", [(5, 4), (100, 90)])
@pytest.mark.parametrize("order", ["C", "F"])
def test_one_call_after_the_other_is_by_itself(shape, order):
    """What a call of this kind has described is used again: by results of few means and of many."""
    data = np.random.default_rng(32).random(shape)
    some_gone = np.where(data < 0.5, math.nan, data)
    all_gone = np.full(shape, math.nan)
    few, none = some_gone == some_gone, np.zeros(shape, bool)
    some_gone, all_gone, few = (np.array(a, order=order) for a in (some_gone, all_gone, few))
    for axis in (None, 0, 1, -1):
        calls = [
            (a, {"axis": axis, "keepdims": keepdims, **options})
            for keepdims in (False, True)
            for a in (some_gone, all_gone, data, some_gone)
            for options in ({"skipna": True}, {"where": few}, {"where": none, "skipna": True}, {})
        ]
        first = [warned(partial(compute_mean, a, **options)) for a, options in calls]
        checked = [check(a, **options) for a, options in calls]
        again = [warned(partial(compute_mean, a, **options)) for a, options in calls]
        for result, (once, messages), (twice, messages_again) in zip(checked, first, again):
            assert same(once, result)
            assert same(twice, result)
            assert messages == messages_again


@pytest.mark.parametrize("order", ["C", "F"])
def test_one_call_after_the_other_has_its_own_result(order):
    """And if axes, a dtype or an array for the result are the only thing in which they differ."""
    a = np.array(np.random.default_rng(33).random((5, 4)), "f4", order=order)
    shapes = {(0,): (4,), 1: (5,), (1, 0): (), (): (5, 4), None: ()}
    for axis, shape in [*shapes.items()] * 2:
        for where in (True, a > 0.5, a[:1] > 0.5, [[True]] * 5):
            for dtype in (None, "f2", np.float32, "f8", np.dtype(">f8"), "c16"):
                check(a, axis=axis, where=where, dtype=dtype)
            for of in ("f4", "f8", ">f4", "c8"):
                check(a, np.empty(shape, of), axis=axis, where=where)
                check(a, np.empty(shape, of), axis=axis, where=where, dtype="f4")
        with pytest.raises(MeanError, match=r"out of shape \(3,\) for a result"):
            compute_mean(a, axis, out=np.empty(3))
        with pytest.raises(ValueError, match="read-only"):
            compute_mean(a, axis, out=np.broadcast_to(np.float32(0), shape))
    for axis in (True, np.True_, (True,)):  # equal to 1
        with pytest.raises(TypeError):
            compute_mean(a, axis)


@pytest.mark.parametrize("dtype", ["f8", "f4", ">f8", "i8", "?", "m8[s]", "M8[ms]", "c8"])
def test_views_of_one_shape_are_told_apart(dtype):
    """By strides and place, even if what a call on another view has described is used again."""
    n = 5000  # more than are copied first
    data = np.random.default_rng(34).integers(0, 1 << 40, 4 * n).astype("i8")
    data = data.view(dtype) if dtype[0] in "mM" else data.astype(dtype)
    table = data.reshape(-1, 100)
    views = [data[k : k + s * n : s] for s in (1, 2, 3) for k in (0, 1, 7)]
    views += [data[n - 1 :: -1], data[-1 : -1 - 2 * n : -2], np.broadcast_to(data[1], (n,))]
    tables = [table[:50], table[7:57], table[:100:2], table[99:49:-1], table[:50, ::-1]]
    tables += [np.asfortranarray(a) for a in tables]
    for _ in range(2):
        for a in views:
            check(a)
            check(a, axis=0, keepdims=True)
        for a in tables:
            check(a)
            check(a, axis=1)


def test_a_result_has_nothing_of_another_call():
    """Of dtypes there are equal ones that carry more."""
    more = np.dtype("f4", metadata={"more": 1})
    for dtype in ("f4", more, "f4"):
        for a in (np.ones((2, 3)), np.ones((2, 3), "f4")):
            assert compute_mean(a, axis=0, dtype=dtype).dtype.metadata is None
            assert compute_mean(a.astype(dtype), axis=0).dtype.metadata is None
    for dtype in DTYPES:
        a = np.zeros((2, 3), np.dtype(dtype, metadata={"more": 1}))
        assert compute_mean(a, axis=0).dtype.metadata is None


def test_means_of_times_go_into_their_own_unit_alone_whatever_came_before():
    units = ["m8[s]", "m8[1000ms]", "m8[s]"]  # which are equal, to some NumPys
    for unit, of_out in itertools.product(units, units):
        a, out = np.array([[1, 2], [3, 8]]).view(unit), np.zeros(2, of_out)
        if unit == of_out:
            assert compute_mean(a, 0, out=out) is out
            assert out.view(np.int64).tolist() == [2, 5]
        else:
            with pytest.raises(TypeError, match="has no other dtype"):
                compute_mean(a, 0, out=out)


def test_an_array_that_changes_while_its_axes_are_asked_for():
    class Axis:
        def __index__(self):
            a.resize((400, 100, 10), refcheck=False)
            return 0

    a = np.ones((3, 4))
    assert compute_mean(a, Axis()).shape == (100, 10)


def test_no_elements_and_a_mask_are_named_in_the_error():
    a, mask = np.empty((0, 3)), np.empty((0, 3), bool)
    for _ in range(2):
        with pytest.raises(MeanError, match=r"of shape \(0, 3\) and a mask of shape \(0, 3\)"):
            compute_mean(a, 0, where=mask)
        with pytest.raises(MeanError, match=r"got an array of shape \(0, 3\)\)$"):
            compute_mean(a, 0, skipna=True)
        assert compute_mean(a, 1, where=mask).shape == (0,)


@pytest.mark.parametrize("dtype", [d for d in DTYPES if d.kind not in "biu"], ids=named)
def test_skipping_everything_warns_once(dtype):
    a = fill(dtype, (5, 4), "small", 0, np.random.default_rng(11))
    is_time = dtype.kind in "mM"
    nothing = np.array(NAT).view(dtype) if is_time else np.array(math.nan).astype(dtype)
    a[:, 1] = a[:, 3] = nothing
    a[2] = nothing
    for axis in (None, 0, 1, ()):
        check(a, axis=axis, skipna=True)
        check(a, axis=axis)
        check(a[2], skipna=True)
        check(a, axis=axis, skipna=True, where=a == a[0, 0])
    assert warned(lambda: compute_mean(a, 0, skipna=True))[1] == [EMPTY]
    assert warned(lambda: compute_mean(a, 0))[1] == []
    many = np.full(3000, nothing)
    check(many, skipna=True)
    many[1234] = a[0, 0]
    check(many, skipna=True)


@pytest.mark.parametrize(
    "options",
    [
        {"where": False},
        {"where": False, "axis": 0},
        {"where": False, "axis": ()},
        {"where": False, "axis": 1, "keepdims": True, "out": np.zeros((2, 1))},
        {"skipna": True, "axis": 1},
        {"skipna": True, "dtype": "f4"},
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", ["array", "list", "fortran"])
def test_the_warning_shows_the_callers_line(kind, options):
    a = np.full((2, 3), math.nan)
    a = {"array": a, "list": a.tolist(), "fortran": np.asfortranarray(a)}[kind]
    check_line_of_warning(a, options)


def test_the_warning_of_times_shows_the_callers_line():
    check_line_of_warning(np.full((2, 3), "NaT", "m8[s]"), {"skipna": True})


def check_line_of_warning(a, options):
    def caller():
        return compute_mean(a, **options)

    with pytest.warns(RuntimeWarning, match=EMPTY) as caught:
        caller()
    [warning] = caught
    assert warning.filename == caller.__code__.co_filename
    assert warning.lineno == caller.__code__.co_firstlineno + 1


def test_the_overflow_warning_shows_the_callers_line():
    def caller():
        return compute_mean([1e300], dtype="f4")

    with pytest.warns(RuntimeWarning, match=OVERFLOW) as caught:
        caller()
    [warning] = caught
    assert warning.filename == caller.__code__.co_filename
    assert warning.lineno == caller.__code__.co_firstlineno + 1


def test_a_nan_is_no_cause_for_a_warning():
    for a in ([math.nan], [math.inf, -math.inf], [[math.nan, 1.0]]):
        for axis in (None, 0):
            assert warned(lambda a=a, axis=axis: compute_mean(a, axis))[1] == []


# Nothing to average.


@pytest.mark.parametrize("options", [{}, {"where": False}, {"skipna": True}, {"keepdims": True}])
@every_dtype
def test_an_array_without_elements_has_no_mean(dtype, options):
    for shape, axis in [
        ((0,), None),
        ((0,), 0),
        ((0, 3), 0),
        ((3, 0), 1),
        ((3, 0), -1),
        ((2, 0, 3), (0, 1)),
        ((0, 0), None),
        ((0, 3), None),
    ]:
        with pytest.raises(MeanError) as caught:
            compute_mean(np.zeros(shape, dtype), axis, **options)
        assert caught.value.status is Status.ZERO_LENGTH
        assert str(shape) in str(caught.value)


@pytest.mark.parametrize("options", [{}, {"where": False}, {"skipna": True}])
@every_dtype
def test_a_result_without_elements_is_returned_quietly(dtype, options):
    for shape, axis, wanted, kept in [
        ((3, 0), 0, (0,), (1, 0)),
        ((0, 3), 1, (0,), (0, 1)),
        ((0, 0), 0, (0,), (1, 0)),
        ((0,), (), (0,), (0,)),
        ((2, 0, 3), (0, 2), (0,), (1, 0, 1)),
        ((2, 0, 3), 2, (2, 0), (2, 0, 1)),
    ]:
        a = np.zeros(shape, dtype)
        assert same(compute_mean(a, axis, **options), np.empty(wanted, result_dtype(dtype)))
        result = compute_mean(a, axis, keepdims=True, **options)
        assert same(result, np.empty(kept, result_dtype(dtype)))
        out = np.empty(wanted, result_dtype(dtype))
        assert compute_mean(a, axis, out=out, **options) is out


# Bad axes and dtypes.


@pytest.mark.parametrize(
    ("shape", "axis"),
    [
        ((3,), 1),
        ((3,), -2),
        ((3,), (0, 1)),
        ((3, 4), 2),
        ((3, 4), (0, -3)),
        ((3,), 10**30),
        ((3,), -(10**30)),
        ((3,), 64),
        ((), 0),
        ((), -1),
        ((), (0,)),
        ((), 1),
        ((0, 3), 2),
    ],
    ids=str,
)
def test_an_axis_that_the_array_has_not(shape, axis):
    with pytest.raises(AxisError, match="out of bounds"):
        compute_mean(np.zeros(shape), axis)


@pytest.mark.parametrize("axis", [(0, 0), (0, -2), (1, -1), (-1, -1, 0)], ids=str)
def test_an_axis_that_is_given_twice(axis):
    with pytest.raises(ValueError, match="duplicate"):
        compute_mean(np.zeros((2, 3)), axis)


@pytest.mark.parametrize("axis", [0.0, 1.5, "0", (0, 1.0), (None,), "rows"], ids=repr)
def test_an_axis_that_is_no_integer(axis):
    with pytest.raises(TypeError):
        compute_mean(np.zeros((2, 3)), axis)


@pytest.mark.parametrize("axis", [np.int8(1), np.uint64(1), (np.intp(-1),)], ids=repr)
def test_an_axis_may_be_a_numpy_integer(axis):
    assert same(compute_mean([[1.0, 2.0]], axis), np.array([1.5]))


@pytest.mark.parametrize(
    "dtype",
    [np.longdouble, np.clongdouble, object, "S3", "U3", "V8", [("x", "f8"), ("y", "i4")]],
    ids=str,
)
def test_a_dtype_without_a_mean_is_refused_by_name(dtype):
    a = np.zeros((2, 3), dtype)
    if a.dtype.name in ("float64", "complex128"):
        pytest.skip("longdouble is float64 here")
    for options in ({}, {"axis": 0}, {"axis": 0, "dtype": "f8"}, {"skipna": True}):
        with pytest.raises(TypeError) as caught:
            compute_mean(a, **options)
        message = str(caught.value)
        assert str(a.dtype) in message
        assert re.search(r"; (convert|pass) ", message)


# Shapes without end, and memory.


def test_many_axes():
    a = np.arange(2.0**10).reshape((2,) * 10)[(...,) + (None,) * 22]
    assert a.ndim == 32  # NumPy 1's most
    check(a, axis=tuple(range(0, 32, 2)))
    check(a.T, axis=tuple(range(1, 32, 3)), keepdims=True)
    check(a[::-1, :, ::-1], axis=(3, 1, 0), where=np.arange(2).reshape((2,) + (1,) * 22) == 1)


NO_COPY = """
    import resource, sys
    from itertools import product
    import numpy as np
    from mean import compute_mean

    path, budget = sys.argv[1], int(sys.argv[2])

    def used():
        lines = open("/proc/self/status").read().splitlines()
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmData"))

    def every_mean(n):
        # The same numbers for any n: each row is 0 to 15, over and over, but for the first element.
        wide = np.memmap(path, np.float64, "r", 8, (n, 2048))
        odd = np.memmap(path, np.float64, "r", 8 * 2049 + 1, (n, 2048))
        half = np.memmap(path, np.float32, "r", 8 * 4097, (2 * n, 2048))
        mask = np.memmap(path, np.bool_, "r", 8, (n, 2048))
        layouts = [
            wide, wide[::-1], wide.T, wide[:, ::2], wide[::3, ::-5], wide.view(">f8"),
            wide.reshape(n, 64, 32).transpose(2, 0, 1), wide.reshape(-1), half[:, ::2], odd,
            wide.view(np.int64), wide.view(np.complex128), wide.view("m8[s]"), mask.view(np.int8),
            wide.view(np.float16), np.lib.stride_tricks.sliding_window_view(wide[0], 100),
        ]
        for a in layouts:
            for axis in (None, 0, a.ndim - 1, tuple(range(a.ndim))[1:]):
                reduced = range(a.ndim) if axis is None else np.atleast_1d(axis)
                if a.size // np.prod([a.shape[k] for k in reduced], dtype=int) > 10**4:
                    continue  # a large result, which takes its memory
                compute_mean(a, axis)
                compute_mean(a, axis, skipna=True)
                compute_mean(a, axis, keepdims=True, where=mask.flat[0] == mask.flat[0])
        for a, axis in product([wide, wide.T], [None, 0, 1]):
            compute_mean(a, axis, where=mask if a is wide else mask.T)
            compute_mean(a, axis, where=mask[:, :1] if a is wide else mask[:1].T)
            compute_mean(a, axis, "f4", skipna=True, where=mask if a is wide else mask.T)
        return wide

    import warnings
    warnings.simplefilter("ignore")
    every_mean(3)  # what is allocated once, is now
    limit = used() + budget
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    wide = every_mean(2048)
    assert wide.nbytes > 2 * budget, "the file is larger than the limit"
    try:
        np.empty(2 * budget, np.uint8)
    except MemoryError:
        sys.exit()
    raise AssertionError("the limit does not hold")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's RLIMIT_DATA")
def test_no_copy_is_made_of_a_file_larger_than_memory(tmp_path):
    path = tmp_path / "elements"
    with path.open("wb") as file:
        file.write(np.zeros(1).tobytes() + np.tile(np.arange(16.0), 3 * 128 * 4).tobytes())
        file.truncate(8 * (2 * 2048 + 3) * 2048)  # the rest is a hole
    # PyPy's own heap grows by more than a megabyte at a time.
    budget = 2**20 if sys.implementation.name == "cpython" else 8 * 2**20
    program = textwrap.dedent(NO_COPY)
    command = [sys.executable, "-c", program, os.fspath(path), str(budget)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_what_one_dtype_carries_is_not_given_to_another():
    tagged = np.dtype("f2", metadata={"of": "another array"})
    compute_mean(np.zeros((2, 2), tagged), 0)
    assert compute_mean(np.zeros((2, 2), "f2"), 0).dtype.metadata is None


@pytest.mark.parametrize("axis", [True, (True,), np.True_], ids=str)
def test_a_truth_value_is_no_axis(axis):
    with pytest.raises(TypeError, match="axis must be an integer"):
        compute_mean(np.ones((2, 3)), axis)


def test_a_masked_mask_is_refused_also_in_a_list():
    with pytest.raises(TypeError, match="MaskedArray"):
        compute_mean(np.ones((1, 2)), where=[np.ma.array([True, True], mask=[0, 1])])
