"""Words of the paper's pages for identifiers of the tables."""

from ...core.study_tables import (
    AFTER_RL,
    BANDIT,
    CONSTANT,
    KL_OPTIMUM,
    MOST_ACCURATE,
    MOST_FREQUENT,
    REPLICATOR,
)

FORECAST_LABELS = {
    KL_OPTIMUM: "KL optimum",
    REPLICATOR: "replicator flow, end",
    BANDIT: "bandit on formats alone (null model)",
    MOST_ACCURATE: "most accurate at base",
    MOST_FREQUENT: "most frequent at base",
    CONSTANT: "always the first format",
}
FORECAST_KINDS = {KL_OPTIMUM: "theory", REPLICATOR: "theory", BANDIT: "null model"} | dict.fromkeys(
    (MOST_ACCURATE, MOST_FREQUENT, CONSTANT), "naive"
)
"""A forecast of the kind `naive` needs no theory."""


PART_LABELS = {
    "choice_at_base_skill": "choice at base skill",
    "skill_at_base_shares": "skill at base shares",
}


def item_label(item: str) -> str:
    """An item of `findings` as a column's heading: `after RL, chance, pass@64`."""
    part, *bound = item.split(", ")
    if part in PART_LABELS:
        return ", ".join([PART_LABELS[part], *bound])
    return ", ".join("after RL" if part == AFTER_RL else part for part in item.split("/"))
