"""Small figures from the tables alone: the collapse beside its null models, and the phase map."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ...analysis.plots.look import PAGE, SETTINGS, series_style, share_axis, sheet, step_axis
from ...claims.select import Arm
from ...core.files import make_folder
from ...core.formats import OTHER
from ...core.study_tables import Tables
from .nulls import bandit_paths
from .phase import Corner, phase_map

MIXTURE = "tg_omi1_omi2"
PANELS = (
    (MIXTURE, "ppo", "PPO"),
    (MIXTURE, "grpo", "GRPO"),
    (MIXTURE, "ei", "Expert Iteration"),
    (MIXTURE, "ppo_random", "null: random reward"),
    ("twins", "ppo", "null: neutral twins"),
    ("twins_even", "ppo", "null: twins of equal length"),
)
DOTS_PER_INCH = 130
Paths = Mapping[int, Mapping[str, tuple[np.ndarray, np.ndarray]]]
"""seed -> format -> (steps, shares)."""


def save_claim_figures(tables: Tables, folder: Path) -> list[Path]:
    """Write every figure that the tables have data for as PNG; returns the paths."""
    make_folder(folder)
    written = []
    for name, figure in claim_figures(tables):
        with mpl.rc_context(SETTINGS):
            figure.savefig(folder / f"{name}.png", dpi=DOTS_PER_INCH, metadata={"Software": None})
        written.append(folder / f"{name}.png")
    return written


def claim_figures(tables: Tables) -> Iterator[tuple[str, Figure]]:
    """(file name without ending, figure)."""
    panels = central_panels(tables)
    if panels:
        yield "central", central(panels)
    corners = phase_map(tables)
    if corners:
        yield "phase", phase(corners)


def central_panels(tables: Tables) -> dict[str, Paths]:
    """Title -> paths of every panel that has data; the bandit stands last, over the headline's bases."""
    found: dict[str, Paths] = {}
    for mixture, name, title in PANELS:
        one = Arm(mixture, name, tables.size)
        paths = training_paths(tables, one)
        if paths:
            found[title] = paths
    headline = Arm(MIXTURE, "ppo", tables.size)
    if "PPO" in found:
        by_seed = bandit_paths(tables, headline)
        found["null: bandit"] = {
            s: {name: (np.arange(len(path)), path) for name, path in of.items()} for s, of in by_seed.items()
        }
    return found


def training_paths(tables: Tables, one: Arm) -> Paths:
    """Shares in the training rollouts of every finished run; rollouts are from before a step's update."""
    found: dict[int, dict[str, tuple[np.ndarray, np.ndarray]]] = {}
    for (mixture, size, name, quantity), by_seed in tables.training.items():
        if (mixture, size, name) == (one.mixture, one.size, one.arm) and quantity.startswith("share/"):
            for seed, steps in by_seed.items():
                ordered = sorted(steps)
                found.setdefault(seed, {})[quantity.removeprefix("share/")] = (
                    np.array(ordered) - 1,
                    np.array([steps[s] for s in ordered]),
                )
    return found


def central(panels: Mapping[str, Paths]) -> Figure:
    """Format shares over RL steps: a thin line per seed, a thick mean, a panel per arm and null model."""
    columns = min(3, len(panels))
    rows = -(-len(panels) // columns)
    figure, axes = sheet(PAGE, 0.5 + 1.7 * rows, rows=rows, columns=columns, sharey=True)
    formats = sorted(
        {name for paths in panels.values() for of in paths.values() for name in of if name != OTHER}
    )
    with mpl.rc_context(SETTINGS):
        for place, (title, paths) in zip(axes, panels.items(), strict=False):
            last = max(int(steps[-1]) for of in paths.values() for steps, _ in of.values())
            for name in formats:
                draw(place, paths, name)
            place.set_title(f"{title} ({len(paths)} {'seed' if len(paths) == 1 else 'seeds'})")
            share_axis(place, "share of rollouts")
            if place not in axes[::columns]:
                place.set_ylabel("")
            step_axis(place, max(last, 1))
            place.set_xlabel("RL step")
        for place in axes[len(panels) :]:
            place.set_axis_off()
        handles = {
            label: handle
            for place in axes
            for handle, label in zip(*place.get_legend_handles_labels(), strict=True)
        }
        figure.legend(
            list(handles.values()), list(handles), loc="outside upper center", ncols=max(len(handles), 1)
        )
    return figure


def draw(axes: Axes, paths: Paths, name: str) -> None:
    """One format's seeds and their mean over the steps that all of them have."""
    known = [of[name] for of in paths.values() if name in of]
    if not known or max(float(shares.max()) for _, shares in known) < 0.01:
        return
    for steps, shares in known:
        axes.plot(steps, shares, color=series_style(name).colour, linewidth=0.5, alpha=0.5)
    shortest = min((steps for steps, _ in known), key=len)
    middle = np.mean([shares[: len(shortest)] for _, shares in known], axis=0)
    axes.plot(
        shortest,
        middle,
        color=series_style(name).colour,
        linestyle=series_style(name).dash,
        linewidth=1.6,
        label=name,
    )


def phase(corners: list[Corner]) -> Figure:
    """Base share of the first format against its lead in expected reward; filled where it won."""
    figure, (axes,) = sheet(PAGE / 2, 2.6)
    with mpl.rc_context(SETTINGS):
        for won, marker, colour, label in (
            (True, "o", "black", "first format wins"),
            (False, "s", "white", "second wins"),
        ):
            mine = [corner for corner in corners if corner.first_wins == won]
            if mine:
                places = [corner.share for corner in mine], [corner.gap for corner in mine]
                axes.scatter(*places, marker=marker, facecolor=colour, edgecolor="black", s=32, label=label)
        for corner in corners:
            axes.annotate(
                f"{corner.final:.2f}",
                (corner.share, corner.gap),
                xytext=(4, 4),
                textcoords="offset points",
                fontsize=6,
            )
        axes.axhline(0, color="grey", linewidth=0.6)
        axes.axvline(0.5, color="grey", linewidth=0.6)
        axes.set_xlim(0, 1)
        axes.set_xlabel("share of the first format at the base")
        axes.set_ylabel("its lead in expected reward at the base")
        figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return figure
