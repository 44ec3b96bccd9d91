"""Masking across documents: a packed row computes what its documents compute alone."""

import torch

from echochamber.model.attention_ranges import AttentionRanges

from .conftest import tiny_model


def test_a_document_does_not_see_its_neighbours():
    model = tiny_model("llama")
    generator = torch.Generator().manual_seed(0)
    documents = [torch.randint(0, 300, (length,), generator=generator) for length in (7, 1, 12)]
    row = torch.cat(documents)[None]
    numbers = torch.tensor([[3] * 7 + [4] + [9] * 12])
    ranges = AttentionRanges.documents(numbers)
    assert ranges.positions[0].tolist() == [*range(7), 0, *range(12)]
    with torch.no_grad():
        packed = model.hidden(row, ranges)[0]
        alone = torch.cat([model.hidden(ids[None])[0] for ids in documents])
        leaky = model.hidden(row)[0]
    torch.testing.assert_close(packed, alone, atol=1e-5, rtol=1e-5)
    assert (leaky - alone).abs().max() > 1e-2
