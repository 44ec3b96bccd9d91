"""Base models: what each can do before RL, whether it lies in its bands, and what a format costs."""

from collections.abc import Mapping
from statistics import mean

from ...core.formats import OTHER
from ...core.study_tables import BASE, Tables
from .collapse import LEAST_BASE
from .markdown import mean_text, render
from .phase import PREFIX
from .results_findings import headline_first

ACCURACY_BAND, MOST_TRUNCATED = (LEAST_BASE, 0.85), 0.01
"""Bands of the base models (docs/claims.md): accuracy of each format, share of truncated completions."""


def bases(tables: Tables) -> str:
    """Mean over seeds of the base's pass@1, pass@64 and shares, so that the bands can be checked."""
    groups: dict[tuple[str, str, str], dict[tuple[float, str], dict[str, list[float]]]] = {}
    for (
        mixture,
        size,
        name,
        start,
        problems,
        split,
        temperature,
        evaluation,
        quantity,
    ), seeds in tables.scores.items():
        if name == BASE and start is None and split == "test":
            cells = groups.setdefault((mixture, size, problems), {}).setdefault(
                (abs(temperature - 1), evaluation), {}
            )
            cells[quantity] = [steps[0] for steps in seeds.values() if 0 in steps]
    rows = []
    for (mixture, size, problems), found in sorted(groups.items()):
        # Of several evaluations of one base on one set, that at temperature 1, the study's own first.
        cells = found[min(found)]
        written = {
            q.removeprefix("share/"): mean(v)
            for q, v in cells.items()
            if q.startswith("share/") and mean(v) >= 0.005
        }
        right = {name: mean(cells[f"right/{name}"]) for name in written if cells.get(f"right/{name}")}
        accuracies = {name: right.get(name, 0.0) / share for name, share in written.items()}
        formats = ", ".join(
            f"{name} {share:.2f} ({accuracies[name]:.2f})"
            for name, share in sorted(written.items(), key=lambda i: -i[1])
        )
        numbers = [
            f"{mean(cells[q]):.3f}" if cells.get(q) else "–" for q in ("accuracy", "pass@64", "truncated")
        ]
        outside = (
            _outside(accuracies, mean(cells.get("truncated") or [0.0]))
            if problems == tables.headline_set
            else ""
        )
        rows.append(
            [mixture, size, problems, str(len(cells.get("accuracy", []))), *numbers, formats, outside]
        )
    return render("bases", rows=rows)


def _outside(accuracies: Mapping[str, float], truncated: float) -> str:
    """Formats whose accuracy lies outside its band, and truncation over its own, by the mean over seeds."""
    low, high = ACCURACY_BAND
    found = [
        f"{name} {right:.2f}"
        for name, right in accuracies.items()
        if name != OTHER and not low <= right <= high
    ]
    return ", ".join([*found, *([f"truncated {truncated:.3f}"] if truncated >= MOST_TRUNCATED else [])])


def costs(tables: Tables) -> str:
    """Tokens, truncation and expected samples of a training step per format, at the base of every PPO arm."""
    rows = []
    for group, found in sorted(tables.findings.items(), key=headline_first):
        if (
            group[2] == "ppo"
            and group[1] == tables.size
            and "costs" in found
            and not group[0].startswith(PREFIX)
        ):
            for name in sorted({item.split("/")[0] for item in found["costs"]} - {OTHER}):
                cells = [
                    found["costs"].get(f"{name}/{what}")
                    for what in ("tokens", "truncated", "samples_per_step")
                ]
                rows.append(
                    [
                        group[0],
                        name,
                        *(mean_text(seeds, digits) for seeds, digits in zip(cells, (1, 4, 1), strict=True)),
                    ]
                )
    return render("costs", rows=rows)
