"""How figures look: sizes in inches, and a colour, dash, marker and hatch per format."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ...core.formats import FORMAT_NAMES

COLUMN, PAGE = 3.35, 6.9
"""Widths of one column and of the page of a two-column paper."""
SETTINGS: Any = {
    "font.size": 8, "axes.titlesize": 8, "axes.labelsize": 8, "xtick.labelsize": 7, "ytick.labelsize": 7,
    "legend.fontsize": 7, "axes.spines.top": False, "axes.spines.right": False, "axes.linewidth": 0.6,
    "lines.linewidth": 1.3, "lines.markersize": 3.5, "svg.hashsalt": "echochamber", "svg.fonttype": "none",
    "hatch.linewidth": 0.4, "legend.frameon": False,
}  # fmt: skip


@dataclass(frozen=True)
class SeriesStyle:
    """How one series is told apart."""

    colour: str
    dash: str
    marker: str
    hatch: str


# Lightness rises along the shipped six, so that greyscale keeps their order.
SERIES_STYLES = (
    SeriesStyle("#1f4e89", "-", "o", ""),
    SeriesStyle("#d9822b", "--", "s", "//"),
    SeriesStyle("#8fd0b8", "-.", "^", ".."),
    SeriesStyle("#8e4585", ":", "D", "xx"),
    SeriesStyle("#8d7b2b", "-", "v", "\\\\"),
    SeriesStyle("#b0aca6", "--", "x", "++"),
    SeriesStyle("#6a5fc1", "-.", "P", "oo"),
    SeriesStyle("#b5483c", ":", "X", "**"),
    SeriesStyle("#2f8596", "-", "<", "||"),
    SeriesStyle("#7f9a3f", "--", ">", "--"),
    SeriesStyle("#b07a4a", "-.", "*", "OO"),
    SeriesStyle("#a56fc4", ":", "p", "//.."),
)


def series_style(name: str, own: Sequence[str] = ()) -> SeriesStyle:
    """The shipped formats have the first styles; `own` formats have the rest, in order of registration."""
    if name in FORMAT_NAMES:
        return SERIES_STYLES[FORMAT_NAMES.index(name)]
    place = own.index(name) if name in own else 0
    return SERIES_STYLES[len(FORMAT_NAMES) + place % (len(SERIES_STYLES) - len(FORMAT_NAMES))]


def sheet(
    width: float, height: float, rows: int = 1, columns: int = 1, **shared: object
) -> tuple[Figure, Sequence[Axes]]:
    """A figure without global state, and its axes in reading order."""
    with mpl.rc_context(SETTINGS):
        figure = Figure(figsize=(width, height), layout="constrained")
        grid = figure.subplots(rows, columns, squeeze=False, **shared)  # type: ignore[call-overload]
    return figure, [axes for row in grid for axes in row]


def step_axis(axes: Axes, last: int) -> None:
    """RL steps on a logarithmic axis that has a place for the base."""
    axes.set_xscale("symlog", linthresh=1, linscale=0.6)
    ticks = [0, *[2**i for i in range(0, max(last, 1).bit_length(), 2 if last > 32 else 1) if 2**i <= last]]
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.minorticks_off()
    axes.set_xlim(0, max(last, 1))


def legend(axes: Axes, **options: object) -> None:
    """A legend, where something is drawn."""
    if axes.get_legend_handles_labels()[0]:
        axes.legend(**options)


def share_axis(axes: Axes, label: str) -> None:
    """0 to 100%."""
    axes.set_ylim(0, 1)
    axes.set_yticks([0, 0.5, 1], ["0", "50", "100"])
    axes.set_ylabel(f"{label} (%)")
