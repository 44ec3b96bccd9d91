"""A target that is no token of the vocabulary is refused before C reads it, and by C itself."""

import ctypes

import pytest
import torch

from echochamber.model.native import library as c
from echochamber.model.native.head import LogprobHead
from echochamber.model.native.library import cell_dtype, why_not

pytestmark = pytest.mark.skipif(
    why_not() is not None, reason=f"the engine in C does not run here: {why_not()}"
)
V, D = 40, 16


def _head():
    weight = torch.randn(V, D, generator=torch.Generator().manual_seed(0)).requires_grad_(True)
    return LogprobHead(weight, 1), torch.randn(3, D, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("wrong", [-1, V, V + 7, -(2**40), 2**40])
def test_a_target_outside_the_vocabulary_is_an_error(wrong):
    """40 tokens fill columns of 48: number 40 would even read a number, of a column that is no token."""
    head, hidden = _head()
    with pytest.raises(IndexError, match=r"tokens of this vocabulary are 0 to 39"):
        head(hidden, torch.tensor([0, wrong, V - 1]))
    assert torch.isfinite(head(hidden, torch.tensor([0, 5, V - 1]))[0]).all()
    assert len(head(hidden[:0], torch.zeros(0, dtype=torch.int64))[0]) == 0


@pytest.mark.parametrize("wrong", [-1, V, 2**40])
def test_c_itself_reads_nothing_outside_the_vocabulary(wrong):
    head, hidden = _head()
    struct = head.weights.renew().struct
    hidden, targets = hidden.to(cell_dtype()), torch.tensor([0, wrong, V - 1])
    logprobs, entropies, lse = (torch.zeros(3) for _ in range(3))
    rows = ctypes.byref(struct), hidden.data_ptr(), targets.data_ptr()
    outputs = (t.data_ptr() for t in (logprobs, entropies, lse))
    c.load().echo_head_forward(*rows, 3, 1.0, *outputs, 1)
    assert logprobs.isnan().all()
    dhidden, dweight = torch.zeros(3, D), torch.zeros(1, struct.Vp, D)
    upstream = torch.ones(3)
    inputs = *rows, lse.data_ptr(), upstream.data_ptr()
    c.load().echo_head_backward(*inputs, 3, 1.0, dhidden.data_ptr(), dweight.data_ptr(), 1)
    assert dhidden.isnan().all()
    assert not dweight.any()
