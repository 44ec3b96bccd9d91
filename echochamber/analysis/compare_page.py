"""One page with the arms of several studies: a table with their paths, without scripts or network."""

from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, PackageLoader

from ..core.files import make_folder, write_text
from .arm_scores import ArmScores, accuracy_text, last_pass_text, winner_text


def save_compare_page(arms: Sequence[ArmScores], page: Path) -> None:
    """Write the page; names and titles come from studies, so everything is escaped."""
    environment = Environment(loader=PackageLoader("echochamber.analysis", "page"), autoescape=True)
    studies = list(dict.fromkeys(arm.study for arm in arms))
    make_folder(page.parent)
    text = environment.get_template("compare.html.j2").render(
        studies=studies, rows=[_row(arm) for arm in arms]
    )
    write_text(page, text)


def _row(arm: ArmScores) -> dict[str, str]:
    path = arm.shares.get(arm.winner or "", [])
    ends = f"from {100 * path[0]:.0f}% to {100 * path[-1]:.0f}% in {arm.steps} steps" if path else ""
    return {
        "study": arm.study,
        "arm": arm.arm or "(base)",
        "mixture": arm.mixture,
        "size": arm.size,
        "seeds": ", ".join(map(str, arm.seeds)),
        "problems": arm.problems or "-",
        "base": accuracy_text(arm.base),
        "final": accuracy_text(arm.final),
        "base_pass": last_pass_text(arm.base),
        "final_pass": last_pass_text(arm.final),
        "winner": winner_text(arm),
        "path": ends,
        "points": _points(path),
    }


def _points(path: Sequence[float]) -> str:
    """Shares as points of a line in a box of 100 by 20."""
    last = max(len(path) - 1, 1)
    return " ".join(f"{100 * index / last:.1f},{20 * (1 - share):.1f}" for index, share in enumerate(path))
