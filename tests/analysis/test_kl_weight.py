"""The KL weight of a forecast follows from what the study says of its algorithms, never from a name."""

from pathlib import Path

import pytest

from echochamber.analysis.kl_weight import bandit_advantage, kl_weight
from echochamber.analysis.runs import rl_config
from echochamber.analysis.study_folder import StoredStudy

KL = {"coef": 0.01, "estimator": "k1", "place": "reward"}
PLAIN = {"policy_gradient": True, "divides_by": "none", "whiten": False, "loss_terms": 0}


def _weight(
    algorithm: str, described: dict[str, object] | None, **settings: object
) -> tuple[float | None, str]:
    arm = {"algorithm": algorithm, "kl": KL} | settings
    study = StoredStudy(Path(), "s", "", [], {"rl": {"a": arm}}, "", [])
    study.algorithms = {algorithm: described} if described else {}
    return kl_weight(rl_config(study, "a"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"divides_by": "mean"}, "group's mean"),
        ({"divides_by": "std"}, "group's spread"),
        ({"policy_gradient": False}, "fitting"),
        ({"loss_terms": 1}, "further terms"),
        ({"divides_by": "something new"}, "does not describe"),
    ],
)
def test_a_new_algorithm_has_a_weight_only_where_its_properties_allow_one(
    change: dict[str, object], said: str
) -> None:
    assert _weight("own", PLAIN)[0] == 0.01
    weight, reason = _weight("own", PLAIN | change)
    assert weight is None
    assert said in reason


def test_studies_that_describe_nothing_fall_back_to_the_shipped_names() -> None:
    found = {name: _weight(name, None)[0] for name in ("ppo", "grpo", "dapo", "gspo", "rloo", "reinforce")}
    assert found == {"ppo": 0.01, "grpo": None, "dapo": None, "gspo": None, "rloo": 0.01, "reinforce": 0.01}
    assert _weight("own", None) == (None, "the study does not describe its algorithm")


def test_whitening_in_the_arm_overrides_the_algorithms() -> None:
    loss = {"coef": 0.01, "estimator": "k2", "place": "loss"}
    assert _weight("own", PLAIN, kl=loss)[0] == 0.01
    assert _weight("own", PLAIN, kl=loss, loss={"whiten": True})[0] is None
    assert _weight("ppo", None, kl=loss)[0] is None
    assert _weight("ppo", None, kl=loss, loss={"whiten": False})[0] == 0.01


def test_a_group_mean_that_holds_the_sample_raises_the_weight_of_a_kl_in_the_loss() -> None:
    loss = {"coef": 0.01, "estimator": "k2", "place": "loss"}
    own = PLAIN | {"own_baseline": True}
    assert _weight("own", own, kl=loss, samples_per_prompt=4)[0] == pytest.approx(0.01 * 4 / 3)
    assert _weight("reinforce", None, kl=loss, samples_per_prompt=4)[0] == pytest.approx(0.01 * 4 / 3)
    assert _weight("reinforce", PLAIN, kl=loss, samples_per_prompt=4)[0] == pytest.approx(0.01 * 4 / 3)
    assert _weight("rloo", None, kl=loss, samples_per_prompt=4)[0] == 0.01


def test_a_whitened_arm_has_a_weight_only_in_large_steps() -> None:
    assert _weight("ppo", None, prompts_per_step=32, samples_per_prompt=8)[0] == 0.01
    weight, reason = _weight("ppo", None, prompts_per_step=4, samples_per_prompt=8)
    assert weight is None
    assert "32 completions" in reason


def test_the_bandit_of_the_report_compares_rewards_as_the_algorithm_does() -> None:
    names = ("ppo", "grpo", "rloo", "reinforce", "expert_iteration")
    found = [bandit_advantage({"algorithm": name}) for name in names]
    assert found == ["step_std", "group_std", "leave_one_out", "group_mean", "kept"]
    assert bandit_advantage({"algorithm": "ppo", "loss": {"whiten": False}}) == "step_mean"
    assert bandit_advantage({"algorithm": "somebody's own"}) == "group_std"
