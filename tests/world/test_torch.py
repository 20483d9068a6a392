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
    ("tensor", "error", "names"),
    [
        (torch.ones(2, requires_grad=True), RuntimeError, "detach"),
        (torch.nn.Parameter(torch.ones(2)), RuntimeError, "detach"),
        (torch.ones(2, dtype=torch.bfloat16), TypeError, "BFloat16"),
        (torch.ones(2).to_sparse(), TypeError, "[Ss]parse"),
        (torch.ones(2, device="meta"), (TypeError, RuntimeError, NotImplementedError), "meta"),
        (torch.ones(2, dtype=torch.complex64).conj(), RuntimeError, "resolve_conj"),
    ],
    ids=["grad", "parameter", "bfloat16", "sparse", "meta", "conj"],
)
def test_what_torch_does_not_hand_over_is_refused_by_name(tensor, error, names):
    with pytest.raises(error, match=names):
        compute_mean(tensor)


def test_a_tensor_with_another_meaning_is_refused_by_name():
    class Masked(torch.Tensor):
        pass

    with pytest.raises(TypeError, match="Masked, whose mask or other meaning"):
        compute_mean(torch.ones(2).as_subclass(Masked))
