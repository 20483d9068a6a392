"""Masked arrays: the mask combines with where= and skipna=, and shows in the result."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle import EMPTY, expected, warned
from strategies import DTYPES, arrays, draw_axes, draw_mask, shape_of_result
from test_errors import OwnMasked, Quantity

from mean import MeanError, Status, compute_mean

# np.ma has no masked arrays of ml_dtypes' numbers.
MASKABLE = [dtype for dtype in DTYPES if dtype.kind != "V"]


def check(a, **options):
    """Compare a call with the oracle, which knows of no masks but where=."""
    where = options.pop("where", True)
    counts = ~np.ma.getmaskarray(a) & where
    axis, keepdims = options.get("axis"), options.get("keepdims", False)
    before = a.data.tobytes(), np.ma.getmaskarray(a).tobytes()
    result, messages = warned(lambda: compute_mean(a, where=where, **options))
    wanted, warnings = expected(a.data, where=counts, **options)
    assert messages == sorted(warnings - {EMPTY})
    shape = shape_of_result(a, axis, keepdims)
    if options.get("skipna"):
        counts = counts & ~np.isnan(a.data)
    along = axis if isinstance(axis, tuple) else range(a.ndim) if axis is None else (axis,)
    none = ~counts.any(axis=tuple(along), keepdims=keepdims)
    if shape:
        assert type(result) is np.ma.MaskedArray
    elif none:
        assert result is np.ma.masked
        return
    assert result.shape == shape
    assert result.dtype == wanted.dtype
    assert (np.ma.getmaskarray(result) == none).all()
    assert np.ma.getdata(result)[~none].tobytes() == np.asarray(wanted)[~none].tobytes()
    assert (a.data.tobytes(), np.ma.getmaskarray(a).tobytes()) == before


@given(st.data())
def test_any_masked_array_is_what_the_definition_says(data):
    draw = data.draw
    a = draw(arrays(MASKABLE))
    mask = draw(st.one_of(st.just(np.ma.nomask), st.just("some")))
    if isinstance(mask, str):
        rng = np.random.default_rng(draw(st.integers(0, 2**16)))
        mask = rng.random(a.shape) < draw(st.sampled_from([0.5, 0, 0.05, 0.95, 1]))
    options = {"axis": draw_axes(draw, a.ndim), "keepdims": draw(st.booleans())}
    if draw(st.booleans()):
        options["where"] = draw_mask(draw, a)
    if draw(st.booleans()):
        options["skipna"] = True
    if a.size:
        check(np.ma.MaskedArray(a, mask), **options)


A = np.ma.array([[1.0, 2.0, np.nan], [3.0, 7.0, np.nan]], mask=[[0, 1, 1], [0, 1, 0]])


def test_masked_values():
    assert compute_mean(A[:, 0]) == 2
    assert type(compute_mean(A[:, 0])) is np.float64
    assert compute_mean(A[:, 1]) is np.ma.masked
    assert compute_mean(np.ma.masked) is np.ma.masked
    columns = compute_mean(A, axis=0)
    assert columns.mask.tolist() == [False, True, False]
    assert (columns[0], np.isnan(columns.data[2])) == (2, True)
    assert compute_mean(A, axis=0, skipna=True).mask.tolist() == [False, True, True]
    assert compute_mean(A, axis=0, where=[True, True, False]).mask.tolist() == [False, True, True]
    for keepdims in (True, np.True_):
        assert compute_mean(A, skipna=True, keepdims=keepdims).tolist() == [[2]]
        assert compute_mean(A[:, 1:2], keepdims=keepdims).tolist() == [[None]]
    assert compute_mean(np.ma.array([1, 2**53, 1], mask=[0, 1, 0])) == 1


def test_a_masked_array_without_a_mask():
    a = np.ma.array([[1.0, 2.0]])
    assert compute_mean(a) == 1.5
    result = compute_mean(a, axis=0)
    assert type(result) is np.ma.MaskedArray
    assert result.mask is np.ma.nomask
    assert compute_mean(np.ma.array([[1.0, 2.0]], mask=[[0, 0]]), axis=0).mask.tolist() == [0, 0]


def test_where_and_a_mask_have_one_shape():
    with pytest.raises(MeanError, match=r"mask of shape \(2,\)") as caught:
        compute_mean(A, where=[True, False])
    assert caught.value.status is Status.BAD_SHAPE


def test_a_masked_array_without_elements_has_no_mean():
    with pytest.raises(MeanError, match="zero length"):
        compute_mean(np.ma.array([]))
    assert compute_mean(np.ma.ones((3, 0)), axis=0).shape == (0,)


def test_a_masked_out_takes_the_mask():
    out = np.ma.array([9.0, 9.0, 9.0], mask=[1, 0, 0])
    result, messages = warned(lambda: compute_mean(A, axis=0, out=out))
    assert result is out
    assert messages == []
    assert out.mask.tolist() == [False, True, False]
    assert out[0] == 2
    single = np.ma.array(5.0)
    assert compute_mean(A[:, 1], out=single) is single
    assert single.mask


def test_an_out_that_shows_no_masks_is_warned_of():
    out = np.zeros(3)
    result, messages = warned(lambda: compute_mean(A, axis=0, out=out))
    assert result is out
    assert messages == [EMPTY]
    assert out[0] == 2
    assert np.isnan(out[1:]).all()


def test_a_masked_out_is_for_masked_arrays():
    with pytest.raises(TypeError, match="MaskedArray"):
        compute_mean(np.ones(3), out=np.ma.array(0.0))
    for out in (np.ma.array(np.zeros(3).view(Quantity)), np.zeros(3).view(Quantity)):
        with pytest.raises(TypeError, match="Quantity"):
            compute_mean(A, axis=0, out=out)
    with pytest.raises(TypeError, match="OwnMasked"):
        compute_mean(A, axis=0, out=np.ma.zeros(3).view(OwnMasked))


def test_an_out_that_cannot_be_unmasked_is_refused():
    out = np.ma.array([9.0, 9.0, 9.0], mask=[1, 0, 0], hard_mask=True)
    with pytest.raises(ValueError, match="soften_mask"):
        compute_mean(A, axis=0, out=out)
    assert out.mask.tolist() == [True, False, False]


def test_a_masked_mask_is_refused():
    with pytest.raises(TypeError, match=r"where\.filled"):
        compute_mean([1.0, 2.0], where=np.ma.array([True, False], mask=[0, 1]))


def test_what_a_masked_array_holds_may_have_no_other_meaning():
    with pytest.raises(TypeError, match="Quantity"):
        compute_mean(np.ma.array(np.ones(3).view(Quantity), mask=[0, 1, 0]))
    with pytest.raises(TypeError, match="dtype object"):
        compute_mean(np.ma.array([None, 1], mask=[1, 0]))
    with pytest.raises(TypeError, match="does not take dtype"):
        compute_mean(np.ma.array([(1, 2)], dtype=[("x", int), ("y", int)], mask=[(1, 0)]))


def test_a_hard_mask_is_no_hindrance():
    a = np.ma.array([1.0, 2.0, 4.0], mask=[0, 1, 0], hard_mask=True)
    assert compute_mean(a) == 2.5
