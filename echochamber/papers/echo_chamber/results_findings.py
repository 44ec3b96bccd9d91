"""Analyses that answer no claim: a row per arm, a column per item; first errors of changed answers."""

from collections.abc import Sequence

from ...core.study_tables import Tables
from .collapse import MIXTURE
from .labels import item_label
from .markdown import mean_text, render, table
from .phase import PREFIX

ArmKey = tuple[str, str, str]
"""(mixture, size, arm)."""
ALGORITHMS = ("ppo", "grpo", "ei")
FLIPS = {"gained": "wrong to right", "lost": "right to wrong"}


def analysis(tables: Tables, name: str, arms: Sequence[str] = ALGORITHMS) -> str:
    """One analysis of the table `findings` at the headline size; empty where nothing is finished."""
    groups = {
        key: found[name]
        for key, found in sorted(tables.findings.items(), key=headline_first)
        if name in found and key[2] in arms and key[1] == tables.size and not key[0].startswith(PREFIX)
    }
    items = list(dict.fromkeys(item for found in groups.values() for item in found))
    rows = [
        [
            f"{mixture}/{arm}",
            str(max(len(seeds) for seeds in found.values())),
            *(mean_text(found.get(item)) for item in items),
        ]
        for (mixture, _, arm), found in groups.items()
    ]
    return table(["arm", "seeds", *map(item_label, items)], rows) if rows else ""


def headline_first(pair: tuple[ArmKey, object]) -> tuple[bool, ArmKey]:
    """Sort key: the headline's mixture first, then by name."""
    return pair[0][0] != MIXTURE, pair[0]


def errors(tables: Tables) -> str:
    """First errors of the greedy answers that changed, in the headline arms; counts summed over seeds."""
    rows: list[list[str]] = []
    for (mixture, size, arm), found in sorted(tables.findings.items(), key=headline_first):
        if "errors" in found and mixture == MIXTURE and arm in ALGORITHMS and size == tables.size:
            total = {item: sum(seeds.values()) for item, seeds in found["errors"].items()}
            count = len({seed for seeds in found["errors"].values() for seed in seeds})
            rows += [
                [f"{mixture}/{arm}", str(count), label, *_kinds(total, flip)] for flip, label in FLIPS.items()
            ]
    return render("errors", rows=rows)


def _kinds(total: dict[str, float], flip: str) -> tuple[str, str]:
    """(answers that flipped this way, kinds of their first error with counts)."""
    parts = {item: item.split("/", 1) for item in total}
    kinds = {kind: total[item] for item, (way, kind) in parts.items() if way == flip}
    text = ", ".join(f"{kind} {count:.0f}" for kind, count in sorted(kinds.items(), key=lambda p: -p[1]))
    return f"{sum(kinds.values()):.0f}", text or "–"
