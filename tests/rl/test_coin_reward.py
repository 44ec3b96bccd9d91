"""Whether a coin reward moves the expected length: the tables of the page, and what they rest on."""

import re
from pathlib import Path

import pytest
import torch

from echochamber.rl.algorithms import registered_algorithms
from echochamber.rl.config import RLConfig
from echochamber.rl.presets import RL_PRESETS

from .coin_reward import CASES, KL, TABLES, Case, advantages, block, push, table
from .enumerated import learner_for

PAGE = (Path(__file__).parents[2] / "docs" / "algorithms.md").read_text(encoding="utf-8")
NUMBER = re.compile(r"[-+]?\d+\.\d+")


def _case(label: str) -> Case:
    return next(case for case in CASES if case.label == label)


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.medium
def test_the_page_has_the_table_that_the_enumeration_gives(name):
    found = block(name).search(PAGE)
    assert found
    written = [[cell.strip() for cell in line.strip("|").split("|")] for line in found[2].strip().split("\n")]
    del written[1]
    expected = table(name)
    assert len(written) == len(expected)
    for row, again in zip(written, expected, strict=True):
        for cell, value in zip(row, again, strict=True):
            # Words and zeros to the letter; the last printed digit may round the other way elsewhere.
            assert NUMBER.sub("#", cell) == NUMBER.sub("#", value)
            assert [float(n) for n in NUMBER.findall(cell)] == pytest.approx(
                [float(n) for n in NUMBER.findall(value)], abs=0.011
            )


def test_every_row_that_samples_is_in_the_table():
    listed = {case.settings["algorithm"] for case in CASES}
    assert listed == {row.name for row in registered_algorithms() if not row.demonstrations}


def test_only_lambda_below_one_shortens_under_a_fresh_critic():
    assert push(_case("`ppo`, lambda 0.95"), 0.5, large=True).cosine == pytest.approx(-1, abs=1e-3)
    assert not push(_case("`ppo`, lambda 1"), 0.5, large=True).moves
    assert not push(_case("`rloo`"), 0.2, large=False).moves


def test_the_preset_with_lambda_one_differs_from_nano_ppo_in_lambda_alone():
    one, other = (RLConfig.parse(RL_PRESETS[name], name) for name in ("nano-ppo-lambda-1", "nano-ppo"))
    assert (one.critic.lam, other.critic.lam) == (1.0, 0.95)
    assert one.model_copy(update={"critic": other.critic}) == other


@pytest.mark.parametrize("place", KL)
def test_without_whitening_reward_and_kl_add_up_in_the_advantages(place):
    """So the coin's part is that of an arm without KL, as the page says."""
    case = _case("`ppo`, lambda 1, `whiten: false`")
    config = case.config(place)
    learner = learner_for(config)
    (_, both), (_, coin) = advantages(learner, config, 0.0), advantages(learner, case.config(), 0.0)
    penalty = (both - coin).view(-1, 8, *both.shape[1:])
    assert float(penalty.abs().max()) > 1e-3
    torch.testing.assert_close(penalty, penalty[:, :1].expand_as(penalty), atol=1e-6, rtol=0)
