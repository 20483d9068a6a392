"""Arrays to test with: of every dtype, edge and layout, as Hypothesis draws them."""

import math
from fractions import Fraction

import numpy as np
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view
from oracle import FORMATS, NANS, NAT, PARTS, bfloat16

INTEGERS = ["bool", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"]
REALS = ["f2", "f4", "f8"] + ([np.dtype(bfloat16)] if bfloat16 else [])
COMPLEX = ["c8", "c16"]
TIMES = ["m8[s]", "m8[7ms]", "m8", "M8[D]", "M8[ns]"]
DTYPES = [np.dtype(dtype) for dtype in [*INTEGERS, *REALS, *COMPLEX, *TIMES]]
RESULTS = [dtype for dtype in DTYPES if dtype.kind == "c" or dtype in map(np.dtype, REALS)]


# Elements.


def edges(dtype):
    """Return the numbers of a dtype where something changes, and some beside them."""
    if dtype.kind == "b":
        return np.array([0, 1], dtype)
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        values = {0, 1, 2, 3, -1, -2, info.min, info.max, info.min + 1, info.max - 1, 2**53 + 1}
        return np.array(sorted(v for v in values if info.min <= v <= info.max), dtype)
    if dtype.kind in "mM":
        values = [0, 1, 2, 3, -1, -2, NAT + 1, 2**63 - 1, NAT + 2, 2**63 - 2, NAT]
        return np.array(values, np.int64).view(dtype)
    precision, low, high = FORMATS[dtype.type]
    one, small = Fraction(1), Fraction(2) ** (low - precision + 1)
    tiny, top = Fraction(2) ** low, Fraction(2) ** high
    eps = Fraction(2) ** (1 - precision)
    values = [Fraction(0), one, one + eps, one - eps / 2, Fraction(3), small, 3 * small]
    values += [tiny, tiny - small, top * (2 - eps), top * (2 - 2 * eps), top, eps, eps / 2]
    signed = [sign * float(v) for v in values for sign in (1, -1)] + [-0.0]
    return np.array(signed, np.float64).astype(dtype)


def special(dtype):
    """Return the NaNs, infinities and NaTs of a dtype."""
    if dtype.kind in "biu":
        return edges(dtype)
    if dtype.kind in "mM":
        return np.array([NAT], np.int64).view(dtype)
    bits = np.dtype(f"u{dtype.itemsize}").type
    inf = int(np.array(math.inf, dtype).view(bits)[()])
    nan = int(np.asarray(NANS[dtype.type]).view(bits)[()])
    sign, payload = 1 << (8 * dtype.itemsize - 1), 1
    patterns = [inf, inf | sign, nan, nan | sign, nan | payload, inf | payload, inf | sign | 2]
    return np.array(patterns, bits).view(dtype)


def fill(dtype, shape, flavour, rare, rng):
    """Return an array with elements of some flavour, of which a share is special."""
    if dtype.kind == "c":
        part = np.dtype(PARTS[dtype.type])
        parts = fill(part, (*shape, 2), flavour, rare, rng)
        return parts.view(dtype).reshape(shape)
    count = math.prod(shape)
    if flavour == "small":
        low = 0 if dtype.kind in "bu" else -4
        small = rng.integers(low, 2 if dtype.kind == "b" else 5, count)
        array = small.view(dtype) if dtype.kind in "mM" else small.astype(dtype)
    elif flavour == "edges":
        array = rng.choice(edges(dtype), count)
    elif flavour == "alike" and dtype.kind not in "biumM":
        array = (1 + rng.random(count)).astype(dtype)
    else:  # any bits
        array = np.frombuffer(rng.bytes(count * dtype.itemsize), dtype).copy()
        if dtype.kind == "b":
            array = array.view(np.uint8) % 2 == 1
        elif dtype.kind not in "iumM":
            # NaN and inf are for `rare` to decide.
            bits = array.view(f"u{dtype.itemsize}")
            inf = np.array([math.inf]).astype(dtype).view(bits.dtype)
            bits[bits & inf == inf] &= ~(inf & -inf)
    is_rare = rng.random(count) < rare
    array[is_rare] = rng.choice(special(dtype), is_rare.sum())
    return array.reshape(shape)


FLAVOURS = ["small", "edges", "alike", "bits"]


# Layouts: each takes an array and hypothesis's draw, and gives one with the same kind of elements.


def draw_axis(draw, a):
    return draw(st.integers(0, a.ndim - 1))


def transposed(draw, a):
    return a.transpose(draw(st.permutations(range(a.ndim))))


def sliced(draw, a):
    k = draw_axis(draw, a)
    start, step = draw(st.integers(0, 2)), draw(st.sampled_from([-3, -2, -1, 1, 2, 3, 5]))
    index = slice(start, None, step) if step > 0 else slice(None, start or None, step)
    return a[(slice(None),) * k + (index,)]


def repeated(draw, a):
    k, times = draw(st.integers(0, a.ndim)), draw(st.integers(1, 4))
    longer = np.expand_dims(a, k)
    return np.broadcast_to(longer, (*longer.shape[:k], times, *longer.shape[k + 1 :]))


def windows(draw, a):
    k = draw_axis(draw, a)
    return sliding_window_view(a, min(draw(st.integers(2, 3)), a.shape[k]), k) if a.size else a


def single(draw, a):
    return np.expand_dims(a, draw(st.integers(0, a.ndim)))


def misaligned(_, a):
    block = np.empty(a.nbytes + 1, np.uint8)
    copy = np.ndarray(a.shape, a.dtype, block, offset=1)
    copy[...] = a
    return copy


def swap(dtype):
    # NumPy's own casts do not swap the bytes of times without a unit.
    return dtype if dtype == "m8" else dtype.newbyteorder()


def swapped(_, a):
    return a.astype(swap(a.dtype))


def fortran(_, a):
    return np.array(a, order="F")


NEED_AXES = [sliced, windows]
LAYOUTS = [transposed, sliced, repeated, windows, single, misaligned, swapped, fortran]
SIDES = st.sampled_from([1, 2, 3, 4, 5, 8, 9, 17, 33, 70, 0])


def lay_out(draw, a, layouts, most):
    for layout in draw(st.lists(st.sampled_from(layouts), max_size=most)):
        if a.ndim < 6 and a.size < 700 and (a.ndim or layout not in NEED_AXES):
            a = layout(draw, a)
    return a


@st.composite
def arrays(draw, dtypes=DTYPES):
    dtype = draw(st.sampled_from(dtypes))
    shape, size = [], 1
    for side in draw(st.lists(SIDES, max_size=4)):
        shape.append(side if size * side <= 1200 else 1)
        size *= shape[-1]
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    rare = draw(st.sampled_from([0, 0.05, 0.5, 1]))
    a = fill(dtype, tuple(shape), draw(st.sampled_from(FLAVOURS)), rare, rng)
    return lay_out(draw, a, LAYOUTS, 3)


def draw_axes(draw, ndim):
    if ndim == 0:
        return draw(st.sampled_from([None, ()]))
    one = st.integers(-ndim, ndim - 1)
    some = st.lists(st.integers(0, ndim - 1), unique=True, max_size=ndim)
    signed = some.map(lambda axes: tuple(k - ndim if k % 2 else k for k in axes))
    return draw(st.one_of(st.none(), one, signed, st.just(tuple(range(ndim)))))


def draw_mask(draw, a):
    if draw(st.booleans()):
        return draw(st.sampled_from([True, False, np.True_, np.False_]))
    first = draw(st.integers(0, a.ndim))  # leading axes left out
    shape = [n if draw(st.booleans()) else 1 for n in a.shape[first:]]
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    mask = np.asarray(rng.random(shape) < draw(st.sampled_from([0.5, 0, 0.05, 0.95, 1])))
    way = draw(st.sampled_from(["dense", "fortran", "reversed", "strided", "broadcast"]))
    if way == "fortran":
        return np.array(mask, order="F")
    if way == "reversed":
        return mask[(slice(None, None, -1),) * mask.ndim + (...,)]
    if way == "strided":
        wide = np.stack([mask, ~mask], axis=-1)
        return wide[..., 0]
    return mask if way == "dense" else np.broadcast_to(mask, a.shape)


def draw_out(draw, shape, dtype):
    """Return an array for the result, and the bytes that it lies in."""
    way = draw(
        st.sampled_from(["dense", "fortran", "reversed", "strided", "swapped", "misaligned"])
    )
    steps = 2 if way == "strided" else 1
    full = tuple(n * steps for n in shape)
    if way == "swapped":
        dtype = swap(dtype)
    block = np.full(math.prod(full) * dtype.itemsize + 9, 0x55, np.uint8)
    order = "F" if way == "fortran" else "C"
    offset = 1 if way == "misaligned" else 8
    out = np.ndarray(full, dtype, block, offset=offset, order=order)
    step = -1 if way == "reversed" else steps
    return out[(slice(None, None, step),) * out.ndim + (...,)], block


def shape_of_result(a, axis, keepdims):
    axes = range(a.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    axes = {k % a.ndim for k in axes}
    shape = [1 if k in axes else n for k, n in enumerate(a.shape) if keepdims or k not in axes]
    return tuple(shape)
