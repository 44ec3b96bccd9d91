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


def test_residual_outputs_start_smaller_unless_all_start_alike():
    model = Transformer(preset("olmo-10m", 512, 64))
    for scaled, factor in ((True, (2 * 6) ** -0.5), (False, 1.0)):
        model.init_weights(torch.Generator().manual_seed(0), scaled=scaled)
        weights = {name: weight.detach() for name, weight in model.named_parameters()}
        plain = weights["model.layers.0.mlp.up_proj.weight"].std()
        for name in ("self_attn.o_proj", "mlp.down_proj"):
            ratio = weights[f"model.layers.3.{name}.weight"].std() / plain
            assert float(ratio) == pytest.approx(factor, rel=0.03)
