"""What an arm optimises, from what its study says of the algorithm: the weight on KL, and its advantages."""

from dataclasses import replace
from typing import TYPE_CHECKING

from ..stats.forecast import Advantage, Objective, effective_kl_weight

if TYPE_CHECKING:
    from .study_folder import JsonObject

_OLDER_STUDIES = (
    dict.fromkeys(("grpo", "dapo", "gspo"), Objective(divides_by="std"))
    | dict.fromkeys(("dr_grpo", "reinforce"), Objective(own_baseline=True))
    | {"rloo": Objective()}
    | dict.fromkeys(("expert_iteration", "best_of_n", "sft"), Objective(policy_gradient=False))
    | {"ppo": Objective(whiten=True, critic=True)}
)
"""The shipped algorithms, for studies whose `study.json` does not describe its algorithms."""


def kl_weight(config: "JsonObject") -> tuple[float | None, str]:
    """The weight that the arm really optimises; None where the recipe does not say enough."""
    kl = config.get("kl")
    if not isinstance(kl, dict) or not isinstance(kl.get("coef"), int | float):
        return None, "the recipe does not state it"
    if kl.get("target") is not None:
        return None, "the coefficient adapts during the run"
    objective = _objective(config)
    if objective is None:
        return None, "the study does not describe its algorithm"
    return effective_kl_weight(
        float(kl["coef"]), kl.get("place", "reward"), kl.get("estimator", "k1"), objective
    )


def bandit_advantage(config: "JsonObject") -> Advantage:
    """How the arm compares rewards; the group's standard deviation where the study does not say."""
    objective = _objective(config)
    return "group_std" if objective is None else objective.advantage


def _objective(config: "JsonObject") -> Objective | None:
    """How the arm's algorithm weighs rewards; None where neither the study nor its name says so."""
    described = config.get("objective")
    if not isinstance(described, dict):
        found = _OLDER_STUDIES.get(str(config.get("algorithm")))
    elif described.get("divides_by") not in ("none", "std", "mean"):
        return None
    else:
        found = Objective(
            bool(described.get("policy_gradient")),
            described["divides_by"],
            bool(described.get("whiten")),
            int(described.get("loss_terms") or 0),
            bool(described.get("critic", described.get("whiten"))),
            bool(described.get("own_baseline", _own_baseline(str(config.get("algorithm"))))),
        )
    loss = config.get("loss")
    whiten = loss.get("whiten") if isinstance(loss, dict) else None
    if found is None:
        return None
    prompts, samples = config.get("prompts_per_step"), config.get("samples_per_prompt")
    found = replace(
        found,
        prompts_per_step=int(prompts or found.prompts_per_step),
        samples_per_prompt=int(samples or found.samples_per_prompt),
    )
    return found if whiten is None else replace(found, whiten=bool(whiten))


def _own_baseline(algorithm: str) -> bool:
    """For studies that describe their algorithms without it: by the shipped name."""
    return algorithm in _OLDER_STUDIES and _OLDER_STUDIES[algorithm].own_baseline
