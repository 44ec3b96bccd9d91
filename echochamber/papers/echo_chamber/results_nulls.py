"""The collapse with its null models and sensitivity arms: the statistic of claim 1 for each."""

from ...claims.declare import NotTestableError, Seeds
from ...claims.select import Arm, arm, base, winner_counts
from ...core.study_tables import Tables
from .collapse import EVEN_TWINS, LEAST_BASE, MIXTURE, RANDOM, SENSITIVITY, TWINS, epoch_top_share
from .markdown import mean_text, render
from .nulls import RATE, bandit_top_share

ARMS = (
    ("PPO", "the claim", MIXTURE, "ppo"),
    ("GRPO", "context", MIXTURE, "grpo"),
    ("neutral twins", "null", TWINS, "ppo"),
    ("twins of equal length", "null", EVEN_TWINS, "ppo"),
    ("random reward", "null", MIXTURE, RANDOM),
    *((place, "sensitivity", *place.split("/")) for place in SENSITIVITY),
)
"""(label, kind, mixture, arm)."""


def nulls(tables: Tables) -> str:
    """The share that claim 1 judges, for every finished algorithm, null model and sensitivity arm."""
    rows: list[list[str]] = []
    waiting: list[dict[str, object]] = []
    for label, kind, mixture, name in ARMS:
        try:
            one = arm(tables, mixture, name)
            found = epoch_top_share(tables, one)
        except NotTestableError as error:
            waiting.append({"label": label, "reason": str(error)})
            continue
        accuracy = base(tables, one, "accuracy")
        rows.append(_row(label, kind, found, winner_counts(tables, one), mean_text(accuracy)))
        weak = sum(value < LEAST_BASE for value in accuracy.values()) if kind == "null" else 0
        if weak:
            waiting.append({"label": label, "weak": weak, "seeds": len(found)})
        if (mixture, name) == (MIXTURE, "ppo"):
            rows.append(_bandit_row(tables, one))
    return render("nulls", rows=rows, waiting=waiting, rate=RATE, least_base=LEAST_BASE)


def _row(label: str, kind: str, found: Seeds, winners: str, accuracy: str) -> list[str]:
    return [label, kind, mean_text(found), str(len(found)), winners, accuracy]


def _bandit_row(tables: Tables, one: Arm) -> list[str]:
    return _row("bandit on its base shares and accuracies", "null", bandit_top_share(tables, one), "", "")
