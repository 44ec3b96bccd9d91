"""Packed rows by blocks: the mask's pairs, the mask's results and gradients."""

import warnings

import pytest
import torch
from torch.nn.attention import flex_attention as torch_flex
from torch.nn.attention.flex_attention import create_mask

from echochamber.model.attention_ranges import AttentionRanges
from echochamber.model.config import ModelConfig
from echochamber.model.flex_attention import BLOCK, block_mask, seen_blocks
from echochamber.model.transformer import Transformer
from echochamber.rollout.batch import fill_rows, plan_rows
from tests.rl.test_update import _rollouts


def _documents(width, *lengths):
    numbers = torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths))[None]
    assert numbers.shape == (1, width)
    return AttentionRanges.documents(numbers)


def _rl_rows(width):
    """Prompts shared by completions, padding at the end of rows."""
    rollouts = _rollouts(num_problems=6, group=20)
    return fill_rows(rollouts, plan_rows(rollouts, width), width, 1 + len(plan_rows(rollouts, width))).ranges


def _long_prompt():
    """A prompt of 300 tokens shared by two completions of 150, then 40 of padding."""
    parts = [torch.zeros(1, 640, dtype=torch.int32) for _ in range(4)]
    positions, shared_start, shared_end, own_start = parts
    positions[0, :300] = torch.arange(300)
    for start in (300, 450):
        own = slice(start, start + 150)
        positions[0, own] = torch.arange(300, 450)
        shared_end[0, own], own_start[0, own] = 300, start
    return AttentionRanges(positions, shared_start, shared_end, own_start, torch.tensor([600]))


CASES = {
    "causal": AttentionRanges.causal(2, 384),
    "documents": _documents(512, 100, 300, 7, 105),
    "not a multiple of the block": _documents(200, 90, 110),
    "shared prompts": _rl_rows(256),
    "long shared prompt": _long_prompt(),
}


@pytest.mark.parametrize("ranges", CASES.values(), ids=CASES)
def test_the_pairs_are_those_of_the_mask(ranges):
    rows, width = ranges.positions.shape
    mask = block_mask(ranges, torch.device("cpu"))
    pairs = create_mask(mask.mask_mod, rows, 1, width, width, device="cpu")
    assert torch.equal(pairs, ranges.mask())


@pytest.mark.parametrize("ranges", CASES.values(), ids=CASES)
def test_blocks_leave_out_no_visible_pair_and_whole_ones_hold_no_hidden_pair(ranges):
    _, width = ranges.positions.shape
    some, whole = seen_blocks(ranges.own_start, ranges.shared_start, ranges.shared_end, ranges.lengths)
    pad = -width % BLOCK
    tiles = torch.nn.functional.pad(ranges.mask()[:, 0], (0, pad, 0, pad))
    tiles = tiles.unflatten(1, (-1, BLOCK)).unflatten(3, (-1, BLOCK))
    assert torch.equal(some, tiles.any(4).any(2))
    assert not (whole & ~tiles.all(4).all(2)).any()
    if width >= 384:
        assert whole.any()  # the short way is taken somewhere


def test_what_is_causal_says_so():
    assert AttentionRanges.causal(1, 8).is_causal
    assert _documents(8, 8).is_causal
    assert not _documents(8, 3, 5).is_causal
    single = _rollouts(num_problems=1, group=1)
    assert fill_rows(single, plan_rows(single, 64), 64, 1).ranges.is_causal
    assert not _rl_rows(256).is_causal


def _model():
    """One layer with the smallest heads that FlexAttention takes, grouped."""
    shape = {"hidden_size": 64, "intermediate_size": 48, "num_layers": 1, "num_heads": 4, "num_kv_heads": 2}
    model = Transformer(ModelConfig(vocab_size=300, max_positions=640, init_std=0.2, **shape))
    model.init_weights(torch.Generator().manual_seed(0))
    return model


@pytest.mark.parametrize("name", ["documents", "shared prompts", "causal"])
def test_a_models_states_and_gradients_are_those_of_the_mask(name, monkeypatch):
    # PyTorch refuses gradients on a CPU for want of a kernel; its reference computes them all the same.
    monkeypatch.setattr(torch_flex, "_validate_device", lambda *_: None)
    ranges = CASES[name]
    token_ids = torch.randint(0, 300, ranges.positions.shape, generator=torch.Generator().manual_seed(2))
    real = torch.arange(ranges.positions.shape[1]) < ranges.lengths[:, None]
    found = []
    for by_blocks in (False, True):
        model = _model()
        model.block_attention = by_blocks
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the slow way, and of the tracer about its own reads
            states = model.hidden(token_ids, ranges)[real]
        states.square().sum().backward()
        found.append([states.detach(), *(p.grad for p in model.parameters() if p.grad is not None)])
    for plain, blocks in zip(*found, strict=True):
        torch.testing.assert_close(blocks, plain, atol=2e-4, rtol=1e-4)
