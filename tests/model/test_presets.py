"""Sizes of named models, the paper's to the parameter."""

import pytest
import torch

from echochamber.core.errors import UserError
from echochamber.model.presets import SIZES, num_parameters, preset
from echochamber.model.transformer import Transformer


@pytest.mark.parametrize(
    ("name", "total"),
    [
        ("paper-150m", 162_398_208),
        ("paper-300m", 300_417_024),
        ("paper-500m", 551_288_832),
        ("paper-1b", 1_139_277_824),
    ],
)
def test_paper_sizes(name, total):
    assert num_parameters(preset(name, 32_000, 2048)) == total


@pytest.mark.parametrize("name", SIZES)
def test_the_count_is_that_of_the_module(name):
    config = preset(name, 512, 64)
    with torch.device("meta"):
        model = Transformer(config)
    assert sum(p.numel() for p in model.parameters()) == num_parameters(config)


def test_an_unknown_size_lists_what_there_is():
    with pytest.raises(UserError, match=r"nano-0\.8m"):
        preset("nano-7b", 512)
