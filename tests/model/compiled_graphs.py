"""Counts torch's graphs of a block over widths; a program of its own, without pytest's checks of shapes."""

import json

import torch
from torch._dynamo import reset
from torch._dynamo.utils import counters

from echochamber.model.attention_ranges import AttentionRanges
from echochamber.model.transformer import Transformer

from .conftest import tiny_model

SHAPES = [(2, 16), (2, 32), (3, 48), (1, 64), (5, 80), (1, 16)]
KINDS = [(grad, packed) for grad in (True, False) for packed in (False, True)]


def run(model: Transformer, kinds: list[tuple[bool, bool]]) -> None:
    """A pass of every kind (with gradient, packed) at every shape."""
    for grad, packed in kinds:
        for rows, width in SHAPES:
            token_ids = torch.randint(300, (rows, width), generator=torch.Generator().manual_seed(width))
            ranges = AttentionRanges.causal(rows, width) if packed else None
            with torch.set_grad_enabled(grad):
                loss = model(token_ids, ranges, token_ids).mean()
            if grad:
                loss.backward()


def graphs(dynamic: bool | None, kinds: list[tuple[bool, bool]], num_models: int = 1) -> tuple[int, bool]:
    """(Compiled graphs, whether torch gave up on some shape)."""
    reset()
    counters.clear()
    for _ in range(num_models):
        model = tiny_model("llama")
        model.compile_blocks(dynamic, backend="eager")
        run(model, kinds)
    gave_up = any("recompile limit" in reason for reason in counters["unimplemented"])
    return counters["stats"]["unique_graphs"], gave_up


if __name__ == "__main__":
    packed_rows = [kind for kind in KINDS if kind[1]]
    found = [graphs(True, KINDS), graphs(None, KINDS), graphs(None, packed_rows, num_models=2)]
    print(json.dumps(found))
