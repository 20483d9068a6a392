"""compute_mean against rational arithmetic: every dtype, layout, byte order, alignment, shape."""

import itertools
import threading
import warnings

import hypothesis.extra.numpy as npst
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle import exact_mean, same

from mean import compute_mean

DTYPES = ["<f4", ">f4", "<f8", ">f8"]


def misaligned(array):
    """Return a copy of an array whose elements begin at an odd address."""
    memory = np.empty(array.nbytes + 1, np.uint8)
    copy = memory[1:].view(array.dtype).reshape(array.shape) if array.size else array.copy()
    copy[...] = array
    return copy


def read_only(array):
    view = array.view()
    view.flags.writeable = False
    return view


LAYOUTS = {
    "contiguous": lambda a: a,
    "fortran": np.asfortranarray,
    "transposed": lambda a: a.T,
    "reversed": lambda a: a[tuple(slice(None, None, -1) for _ in a.shape) or ...],
    "every other": lambda a: a[..., ::2] if a.ndim else a,
    "every other backwards": lambda a: a[::-2] if a.ndim else a,
    "inner columns": lambda a: a[..., 1:-1] if a.ndim and a.shape[-1] > 2 else a,
    "repeated": lambda a: np.broadcast_to(a, (3, *a.shape)),
    "new axes": lambda a: a[None, ..., None],
    "misaligned": misaligned,
    "misaligned and strided": lambda a: misaligned(a)[..., ::2] if a.ndim else misaligned(a),
    "read only": read_only,
    "matrix order": lambda a: np.moveaxis(a, 0, -1) if a.ndim else a,
}


def check(array):
    before = array.tobytes()
    result = compute_mean(array)
    assert same(result, exact_mean(array.astype(array.dtype.newbyteorder("="))))
    assert array.tobytes() == before
    return result


@pytest.mark.parametrize("shape", [(), (1,), (7,), (3, 4), (2, 3, 5), (1, 4, 1), (2, 1, 2, 3)])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype_layout_and_shape(dtype, layout, shape):
    rng = np.random.default_rng(0)
    array = np.asarray(rng.lognormal(0, 20, shape) * rng.choice([-1, 1], shape)).astype(dtype)
    check(LAYOUTS[layout](array))


FLOATS = {
    dtype: st.one_of(
        npst.from_dtype(np.dtype(dtype)),
        npst.from_dtype(np.dtype(dtype), allow_nan=False, allow_infinity=False),
        st.integers(-4, 4).map(float),
    )
    for dtype in DTYPES
}


@st.composite
def arrays(draw):
    dtype = draw(st.sampled_from(DTYPES))
    shape = draw(npst.array_shapes(min_dims=0, max_dims=4, max_side=6))
    elements = draw(st.sampled_from([FLOATS[dtype], st.floats(-1, 1, width=32)]))
    array = draw(npst.arrays(dtype, shape, elements=elements))
    for layout in draw(st.lists(st.sampled_from(sorted(LAYOUTS)), max_size=3)):
        if array.ndim < 6:
            array = LAYOUTS[layout](array)
    return array


@given(arrays())
def test_any_array(array):
    check(array)


@given(st.data())
def test_the_order_of_elements_does_not_matter(data):
    array = data.draw(npst.arrays(np.float64, st.integers(1, 50), elements=FLOATS["<f8"]))
    shuffled = array[data.draw(st.permutations(range(array.size)))]
    assert same(compute_mean(array), compute_mean(shuffled))


def test_orders_of_axes_and_directions_and_repetition_do_not_matter():
    dense = np.arange(24.0).reshape(2, 3, 4)
    for axes in itertools.permutations(range(3)):
        for steps in itertools.product([1, -1], repeat=3):
            view = dense.transpose(axes)[tuple(slice(None, None, step) for step in steps)]
            assert compute_mean(view) == 11.5
    assert compute_mean(np.broadcast_to(dense, (10**12, 2, 3, 4))) == 11.5


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1e308] * 10, 1e308),
        ([1e308, -1e308, 3.0], 1.0),
        ([1e100, 1.0, -1e100], 1 / 3),
        ([0.1, 0.2, 0.3], 0.2),
        ([5e-324, 0.0], 0.0),
        ([5e-324, 5e-324, 0.0], 5e-324),
        ([-5e-324, 0.0], -0.0),
        ([-0.0], 0.0),
        ([1.0, -1.0], 0.0),
        ([np.inf, 1.0], np.inf),
        ([-np.inf, 1.0], -np.inf),
        ([-np.inf, np.inf], np.nan),
        ([-np.nan, 1.0], np.nan),
    ],
)
def test_the_promised_values(values, expected):
    assert same(compute_mean(values), np.float64(expected))


def test_a_long_float32_column_does_not_stop_growing():
    ones = np.ones((2**25, 2), np.float32)
    assert same(compute_mean(ones, axis=0), np.ones(2, np.float32))


def test_what_numpy_takes_is_taken(tmp_path):
    assert same(compute_mean([1.0, 2.0, 4.5]), np.float64(2.5))
    assert same(compute_mean(((1.0, 2.0), (3.0, 4.0))), np.float64(2.5))
    assert same(compute_mean(1.5), np.float64(1.5))
    assert same(compute_mean(np.float32(1.5)), np.float32(1.5))
    assert same(compute_mean(memoryview(np.array([1.0, 2.0]))), np.float64(1.5))
    np.save(tmp_path / "file.npy", np.array([[1.0, 2.0], [3.0, 8.0]]))
    mapped = np.load(tmp_path / "file.npy", mmap_mode="r")
    assert isinstance(mapped, np.memmap)
    assert same(compute_mean(mapped), np.float64(3.5))


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
def test_a_matrix_counts_as_its_base_array():
    assert same(compute_mean(np.matrix([[1.0, 2.0], [3.0, 8.0]])), np.float64(3.5))


@pytest.mark.parametrize("axis", [None, 0, 1])
@pytest.mark.parametrize("how", ["plain", "skipna", "where"])
def test_threads_do_not_share_results(axis, how):
    arrays = [np.full((100, 10), float(k)) for k in range(4)]
    for a in arrays:
        a[::2, ::2] = np.nan if how == "skipna" else a[0, 0]
    masks = [np.full((100, 10), k != 1) for k in range(4)]
    wrong = []

    def work(k):
        options = {"where": masks[k]} if how == "where" else {"skipna": how == "skipna"}
        none = how == "where" and k == 1
        for _ in range(2000):
            mean = compute_mean(arrays[k], axis, **options)
            if not np.all(np.isnan(mean) if none else mean == k):
                wrong.append(mean)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        threads = [threading.Thread(target=work, args=(k,)) for k in range(len(arrays))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not wrong
