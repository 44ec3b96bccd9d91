"""A CUDA device computes what the CPU computes, in float32; run with `pytest -m gpu`."""

import pytest
import torch

from echochamber.bench.device_check import correctness_checks
from echochamber.bench.device_parts import FULL, run_checks
from echochamber.model.attention_ranges import AttentionRanges

from .test_flex_attention import CASES, _model

pytestmark = pytest.mark.gpu
CHECKS = dict(correctness_checks(torch.device("cuda", 0), FULL))


@pytest.mark.parametrize("name", CHECKS)
def test_comparison_with_the_cpu(name):
    """Logits, gradients, losses, greedy tokens, one step of each kind of algorithm, resume, export."""
    found = list(run_checks([(name, CHECKS[name])]))
    assert {one.state for one in found} <= {"ok", "skipped"}, found


@pytest.mark.parametrize("ranges", CASES.values(), ids=CASES)
def test_attention_by_blocks_with_its_gradient(ranges: AttentionRanges):
    ids = torch.randint(0, 300, ranges.positions.shape, generator=torch.Generator().manual_seed(2))
    real = torch.arange(ranges.positions.shape[1]) < ranges.lengths[:, None]
    found = []
    for by_blocks in (False, True):
        model = _model().cuda()
        model.block_attention = by_blocks
        states = model.hidden(ids.cuda(), ranges)[real.cuda()]
        states.square().sum().backward()
        found.append([states.detach(), *(p.grad for p in model.parameters() if p.grad is not None)])
    for plain, blocks in zip(*found, strict=True):
        torch.testing.assert_close(blocks, plain, atol=1e-3, rtol=1e-3)
