"""Tensors of torch on the CPU: taken without a copy, or refused by name."""

import numpy as np
import pytest
import torch

from mean import compute_mean
from mean._input import as_input


@pytest.mark.parametrize(
    "dtype", ["bool", "uint8", "int8", "int64", "float16", "float32", "float64", "complex64"]
)
def test_a_tensor_is_taken_as_it_is(dtype):
    tensor = torch.arange(12).to(getattr(torch, dtype)).reshape(3, 4)
    for view in (tensor, tensor.t(), tensor[:, ::2]):
        array = view.numpy()
        assert np.shares_memory(as_input(view).array, array)
        for axis in (None, 0):
            result = compute_mean(view, axis=axis)
            assert result.tobytes() == compute_mean(array, axis=axis).tobytes()
            assert result.dtype == compute_mean(array).dtype
    assert compute_mean([torch.tensor(1.0), torch.tensor(2.0)]) == 1.5


@pytest.mark.parametrize(
    ("tensor", "way_out"),
    [
        (torch.ones(2, requires_grad=True), "detach"),
        (torch.nn.Parameter(torch.ones(2)), "detach"),
        (torch.ones(2, dtype=torch.bfloat16), "bfloat16: .*float"),
        (torch.ones(2).to_sparse(), "to_dense"),
        (torch.ones(2, device="meta"), "cpu"),
        (torch.ones(2, dtype=torch.complex64).conj(), "resolve_conj"),
    ],
    ids=["grad", "parameter", "bfloat16", "sparse", "meta", "conj"],
)
def test_what_torch_does_not_hand_over_is_refused_by_name(tensor, way_out):
    for given in (tensor, [tensor]):
        with pytest.raises(TypeError, match=f"torch makes no array of this .*{way_out}"):
            compute_mean(given)


def test_a_tensor_with_another_meaning_is_refused_by_name():
    class Masked(torch.Tensor):
        pass

    with pytest.raises(TypeError, match="Masked; the mean would lose its mask"):
        compute_mean(torch.ones(2).as_subclass(Masked))
