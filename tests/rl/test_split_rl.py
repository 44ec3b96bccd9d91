"""RL with split weights (FSDP2) on two gloo ranks: one rank's training, for every kind of row."""

import numpy as np
import pytest
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from echochamber.core.errors import UserError
from echochamber.core.metrics import read_metrics
from echochamber.core.resume_record import resume_damage
from echochamber.rl.config import RLConfig
from tests.rl.rank_runs import SPLIT_RL, prepare, run_split_rl, start_ranks

WRONG = {
    "an adapter": ({"adapter": {"rank": 2}}, "adapter trains in transformers"),
    "a shared trunk": ({"algorithm": "ppo", "critic": {"trunk": "shared"}}, "use critic.trunk own"),
    "whole logits": ({"kl": {"coef": 0.1, "estimator": "exact", "place": "loss"}}, "whole logits"),
}


@pytest.mark.parametrize(("settings", "said"), WRONG.values(), ids=WRONG)
def test_what_is_not_split_is_refused(settings, said):
    with pytest.raises(UserError, match=said):
        RLConfig.parse({"shard": True} | settings, "rl.arm")


def test_the_default_leaves_fingerprints_as_they_were():
    assert "shard" not in RLConfig().identity()


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """`one`: whole weights in one process; `two` and `cut` (broken off in step 3): split over two ranks."""
    root = tmp_path_factory.mktemp("split")
    prepare(root / "data")
    run_split_rl(root / "data", root / "one", split=False)
    start_ranks(2, "-m", "tests.rl.rank_runs", str(root / "data"), str(root / "two"), "split-rl")
    return root


def _metrics(folder):
    return read_metrics(folder / "metrics.jsonl")


def _weights(folder):
    steps = sorted(path.name for path in (folder / "checkpoints").iterdir())
    return {step: load_file(folder / "checkpoints" / step / "model.safetensors") for step in steps}


def _assert_same(one, two):
    assert len(one) == len(two) == 3
    for mine, theirs in zip(one, two, strict=True):
        assert mine.keys() == theirs.keys()
        for name, value in mine.items():
            close = pytest.approx(theirs[name], rel=1e-3, abs=1e-4) if theirs[name] is not None else None
            assert value == close, name


@pytest.mark.slow
@pytest.mark.parametrize("arm", SPLIT_RL)
def test_metrics_and_weights_are_those_of_one_rank(runs, arm):
    _assert_same(_metrics(runs / "one" / arm), _metrics(runs / "two" / arm))
    one, two = (_weights(runs / place / arm) for place in ("one", "two"))
    assert one.keys() == two.keys()
    for step in one:
        for name, weight in one[step].items():
            np.testing.assert_allclose(two[step][name], weight, atol=1e-4, rtol=0, err_msg=f"{step} {name}")
    last, first = max(one, key=lambda step: int(step.split("_")[1])), one["step_0"]
    moved = max(float((one[last][name] - first[name]).abs().max()) for name in first)
    assert moved > 5e-4 or arm == "expert_iteration"


@pytest.mark.slow
def test_state_of_two_ranks_goes_on_with_one(runs):
    resume = runs / "cut" / "ppo" / "resume"
    assert len(list((resume / "sharded-2").glob("*.distcp"))) == 2
    assert resume_damage(runs / "cut" / "ppo", pytest.fail) is None
    assert len(_metrics(runs / "cut" / "ppo")) == 2
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tests.rl.rank_runs.SPLIT_RL", {"ppo": SPLIT_RL["ppo"]})
        run_split_rl(runs / "data", runs / "cut")
    _assert_same(_metrics(runs / "one" / "ppo"), _metrics(runs / "cut" / "ppo"))


@pytest.mark.slow
def test_checkpoints_are_whole_folders(runs):
    folder = runs / "two" / "grpo" / "checkpoints" / "step_3"
    theirs = AutoModelForCausalLM.from_pretrained(folder).state_dict()
    for name, weight in load_file(folder / "model.safetensors").items():
        np.testing.assert_allclose(theirs[name], weight, atol=0, rtol=0)
