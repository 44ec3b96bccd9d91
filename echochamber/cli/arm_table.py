"""Arms in a terminal: a table of their scores, and their formats over the steps of RL as bars of text."""

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..analysis.arm_scores import ArmScores

BARS = "▁▂▃▄▅▆▇█"
PLOT_WIDTH, PLOT_FORMATS = 40, 4
LEAST_SHARE = 0.05
"""Formats that never have this share of a step are not drawn."""


def arm_table(arms: Sequence["ArmScores"], with_study: bool = False) -> list[str]:
    """One line per arm: seeds, accuracy and pass@k before and after, and the most frequent format."""
    rows = [_header(with_study), *(_cells(arm, with_study) for arm in arms)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]


def _header(with_study: bool) -> list[str]:
    names = [
        "arm",
        "mixture",
        "size",
        "seeds",
        "accuracy base",
        "accuracy after",
        "pass@k base",
        "after",
        "most frequent",
    ]
    return ["study", *names] if with_study else names


def _cells(arm: "ArmScores", with_study: bool) -> list[str]:
    from ..analysis.arm_scores import accuracy_text, last_pass_text, winner_text

    cells = [arm.arm or "(base)", arm.mixture, arm.size, str(len(arm.seeds))]
    cells += [accuracy_text(arm.base), accuracy_text(arm.final)]
    cells += [last_pass_text(arm.base), last_pass_text(arm.final), winner_text(arm)]
    return [arm.study, *cells] if with_study else cells


def share_plot(arm: "ArmScores") -> list[str]:
    """One line per format: its share of the completions of each RL step, from 0 to 100%."""
    large = [name for name, path in arm.shares.items() if max(path) >= LEAST_SHARE]
    chosen = sorted(large, key=lambda name: -max(arm.shares[name]))[:PLOT_FORMATS]
    width = max((len(arm.titles.get(name, name)) for name in chosen), default=0)
    return [
        f"{arm.titles.get(name, name):{width}}  {bars(arm.shares[name])}  "
        f"{100 * arm.shares[name][0]:.1f}% -> {100 * arm.shares[name][-1]:.1f}%"
        for name in chosen
    ]


def bars(values: Sequence[float], width: int = PLOT_WIDTH) -> str:
    """Shares in [0, 1] as bars of eight heights; more than `width` of them are averaged in equal parts."""
    count = min(len(values), width)
    edges = [round(index * len(values) / count) for index in range(count + 1)] if count else []
    parts = [values[start:end] for start, end in pairwise(edges)]
    return "".join(BARS[min(int(sum(part) / len(part) * len(BARS)), len(BARS) - 1)] for part in parts)
