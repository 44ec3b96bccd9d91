"""One function per figure. Every function takes tables or runs and returns a figure."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..numbers import Row, at, average_rows
from ..runs import Run
from .look import COLUMN, PAGE, SETTINGS, legend, pen, share_axis, sheet, step_axis

RARE = 0.02
"""Share under which a format's accuracy is not drawn: a handful of completions gives intervals from 0 to 1."""
PASS = (("accuracy", "pass@1", "-", "o"), ("pass@k", "pass@{k}", "--", "s"), ("maj@k", "maj@{k}", ":", "^"))


def checkpoints(runs: Sequence[Run], chosen: tuple[str, str]) -> list[Row]:
    """One averaged row per step that all runs have."""
    shared = set.intersection(*[set(run.steps(chosen)) for run in runs]) if runs else set()
    rows = []
    for step in sorted(shared):
        found = [row for run in runs if (row := run.row(chosen, step))]
        rows.append({"step": step} | average_rows(found))
    return rows


def dynamics(
    runs: Sequence[Run], chosen: tuple[str, str], formats: Sequence[str], k: str,
    null: tuple[Sequence[int], Mapping[str, Sequence[float]]] | None = None,
) -> Figure:  # fmt: skip
    """The paper's Figures 2, 4 and 7: shares, accuracy per format, pass rates over RL steps, one arm.

    `null`: steps and shares per format of the bandit, drawn over the bands.
    """
    rows = checkpoints(runs, chosen)
    figure, (shares, accuracy, passed) = sheet(COLUMN, 4.6, rows=3, sharex=True)
    with mpl.rc_context(SETTINGS):
        draw_bands(shares, rows, formats)
        if null is not None:
            draw_null(shares, *null)
            figure.legend(*shares.get_legend_handles_labels(), loc="outside upper right")
        for name in formats:
            often = [row for row in rows if (at(row, ("formats", name, "share")) or 0.0) >= RARE]
            draw_line(
                accuracy,
                often,
                ("formats", name, "accuracy"),
                pen(name).colour,
                pen(name).dash,
                pen(name).marker,
                name,
            )
        draw_pass(passed, rows, k)
        for axes, label in ((shares, "share"), (accuracy, "accuracy"), (passed, "right")):
            share_axis(axes, label)
            step_axis(axes, rows[-1]["step"] if rows else 1)
        legend(accuracy)
        legend(passed, ncols=3, loc="lower right")
        passed.set_xlabel("RL step")
    return figure


def arms(
    groups: Mapping[str, Sequence[Run]], chosen: tuple[str, str], formats: Sequence[str], k: str
) -> Figure:
    """The paper's Figures 3, 4, 7, 14 and 20: arms side by side (KL weights, copies, sizes, algorithms)."""
    figure, cells = sheet(
        min(PAGE, 1.1 + 1.9 * len(groups)), 2.9, rows=2, columns=len(groups), sharex="col", sharey="row"
    )
    with mpl.rc_context(SETTINGS):
        for i, (label, runs) in enumerate(groups.items()):
            rows = checkpoints(runs, chosen)
            top, bottom = cells[i], cells[len(groups) + i]
            draw_bands(top, rows, formats)
            draw_pass(bottom, rows, k)
            top.set_title(label)
            for axes, name in ((top, "share"), (bottom, "right")):
                share_axis(axes, name)
                step_axis(axes, rows[-1]["step"] if rows else 1)
                axes.label_outer()
            bottom.set_xlabel("RL step")
        legend(cells[len(groups)], loc="lower right")
    return figure


def dose(finals: Mapping[float, Row], label: str, k: str) -> Figure:
    """The paper's Figure 5: final pass rates against a dose, such as copies of one source, on a log2 axis."""
    figure, (axes,) = sheet(COLUMN, 2.2)
    with mpl.rc_context(SETTINGS):
        rows = [row | {"step": amount} for amount, row in sorted(finals.items())]
        draw_pass(axes, rows, k)
        axes.set_xscale("log", base=2)
        axes.set_xticks([row["step"] for row in rows], [f"{row['step']:g}" for row in rows])
        share_axis(axes, "right after RL")
        axes.set_xlabel(label)
        legend(axes)
    return figure


def style(table: pl.DataFrame, name: str, feature: str) -> Figure:
    """The paper's Figure 6: shares of a style feature's words inside one format over RL steps.

    `table` has the columns of `tables.dynamics.style_estimates`; a step without estimate is a gap.
    """
    figure, (axes,) = sheet(COLUMN, 2.0)
    wanted = table.filter((pl.col("format") == name) & (pl.col("feature") == feature)).sort("step")
    with mpl.rc_context(SETTINGS):
        for i, (word,) in enumerate(wanted.select("word").unique(maintain_order=True).sort("word").rows()):
            rows = [
                {"step": row["step"], "share": row["value"], "intervals": {"share": _known(row)}}
                for row in wanted.filter(pl.col("word") == word).iter_rows(named=True)
            ]
            look = str(0.62 * (i % 3) / 2), ["-", "--", ":", "-."][i % 4], "os^Dvx"[i % 6]
            draw_line(axes, rows, ("share",), *look, f"{feature.replace('_', ' ')}: {word}")
        share_axis(axes, f"of {name}")
        step_axis(axes, int(wanted["step"].to_numpy().max()) if len(wanted) else 1)
        axes.set_xlabel("RL step")
        if axes.get_legend_handles_labels()[0]:
            figure.legend(ncols=2, loc="outside upper center")
    return figure


def _known(row: Mapping[str, Any]) -> list[float] | None:
    return [row["low"], row["high"]] if row["low"] is not None else None


def pass_curves(base: Row, final: Row) -> Figure:
    """pass@k and maj@k to the largest k, before and after RL."""
    figure, cells = sheet(PAGE, 2.2, columns=2, sharey=True)
    with mpl.rc_context(SETTINGS):
        for axes, curve in zip(cells, ("pass@k", "maj@k"), strict=True):
            for row, label, dash, marker in ((base, "before RL", "--", "o"), (final, "after RL", "-", "s")):
                ks = sorted(int(k) for k, value in row[curve].items() if value is not None)
                draw_line(axes, [row | {"step": k} for k in ks], None, "black", dash, marker, label, curve)
            axes.set_xscale("log", base=2)
            ticks = sorted(int(k) for k in base[curve])[::2] or [1]
            axes.set_xticks(ticks, [str(k) for k in ticks])
            axes.minorticks_off()
            share_axis(axes, curve)
            axes.set_xlabel("k")
            legend(axes)
    return figure


def transfer(gains: pl.DataFrame, quantity: str = "accuracy") -> Figure:
    """The paper's Table 1 as a figure: change of one score in every problem set, with intervals."""
    table = gains.filter(pl.col("quantity") == quantity)
    figure, (axes,) = sheet(COLUMN, 0.9 + 0.28 * len(table))
    with mpl.rc_context(SETTINGS):
        for i, row in enumerate(table.iter_rows(named=True)):
            if row["low"] is not None:
                axes.plot([100 * row["low"], 100 * row["high"]], [i, i], color="black", linewidth=1)
            axes.plot([100 * row["value"]], [i], "o", color="black")
        axes.set_yticks(range(len(table)), table["problem_set"].to_list())
        axes.invert_yaxis()
        axes.axvline(0, color="grey", linewidth=0.6)
        axes.set_xlabel(f"change of {quantity.replace('_', ' ')} (points)")
    return figure


def support(table: pl.DataFrame) -> Figure:
    """Problems kept, gained, lost and never solved within k tries."""
    figure, (axes,) = sheet(COLUMN, 2.2)
    ks = table.filter(pl.col("value").is_not_null())["k"].unique().sort().to_list()
    below = [0.0] * len(ks)
    with mpl.rc_context(SETTINGS):
        for kind, shade, hatch in (
            ("kept", "0.35", ""),
            ("gained", "0.6", "//"),
            ("lost", "0.8", "xx"),
            ("never", "1.0", ""),
        ):
            heights = [
                table.filter((pl.col("k") == k) & (pl.col("kind") == kind))["value"][0] for k in ks
            ]
            axes.bar(
                range(len(ks)),
                heights,
                bottom=below,
                color=shade,
                hatch=hatch,
                edgecolor="black",
                linewidth=0.5,
                label=kind,
            )
            below = [a + b for a, b in zip(below, heights, strict=True)]
        axes.set_xticks(range(len(ks)), [str(k) for k in ks])
        share_axis(axes, "problems")
        axes.set_xlabel("k")
        figure.legend(ncols=4, loc="outside upper center")
    return figure


def estimates(rows: Sequence[Mapping[str, Any]], labels: Sequence[str], meaning: str, shares: bool = False) -> Figure:
    """One row of dots with 95% intervals per label: columns value, low, high; a value of None says so."""
    figure, (axes,) = sheet(COLUMN, 0.7 + 0.2 * len(rows))
    with mpl.rc_context(SETTINGS):
        for i, row in enumerate(rows):
            if row["value"] is None:
                axes.annotate("not estimable", (0, i), fontsize=6, va="center")
                continue
            if row["low"] is not None:
                axes.plot([100 * row["low"], 100 * row["high"]], [i, i], color="black", linewidth=1)
            axes.plot([100 * row["value"]], [i], "o", color="black")
        axes.set_yticks(range(len(rows)), list(labels))
        axes.invert_yaxis()
        axes.set_xlabel(meaning)
        if shares:
            axes.set_xlim(0, 100)
        else:
            axes.axvline(0, color="grey", linewidth=0.6)
    return figure


def draw_null(axes: Axes, steps: Sequence[int], null: Mapping[str, Sequence[float]]) -> None:
    """Borders of the null model's bands, dotted."""
    below = [0.0] * len(steps)
    for i, shares in enumerate(list(null.values())[:-1]):
        below = [a + b for a, b in zip(below, shares, strict=True)]
        axes.plot(steps, below, color="black", linestyle=":", linewidth=0.9, label="null model" if i == 0 else None)


def draw_bands(axes: Axes, rows: Sequence[Row], formats: Sequence[str]) -> None:
    """Stacked shares with hatches and names on the bands."""
    steps = [row["step"] for row in rows]
    below = [0.0] * len(rows)
    for name in formats:
        shares = [at(row, ("formats", name, "share")) or 0.0 for row in rows]
        above = [a + b for a, b in zip(below, shares, strict=True)]
        axes.fill_between(
            steps,
            below,
            above,
            facecolor=pen(name).colour,
            hatch=pen(name).hatch,
            edgecolor="white",
            linewidth=0.4,
        )
        if rows and max(shares) > 0.15:
            i = max(range(len(rows)), key=lambda j: shares[j] * (0 < j < len(rows) - 1 or len(rows) < 3))
            box = {"facecolor": "white", "edgecolor": "none", "pad": 0.8, "alpha": 0.8}
            axes.text(
                steps[i], (below[i] + above[i]) / 2, name, ha="center", va="center", fontsize=7, bbox=box
            )
        below = above


def draw_pass(axes: Axes, rows: Sequence[Row], k: str) -> None:
    """pass@1, pass@k and maj@k with intervals."""
    for key, label, dash, marker in PASS:
        path = (key,) if key == "accuracy" else (key, k)
        draw_line(axes, rows, path, "black", dash, marker, label.format(k=k))


def draw_line(
    axes: Axes,
    rows: Sequence[Row],
    path: tuple[str, ...] | None,
    colour: str,
    dash: str,
    marker: str,
    label: str,
    curve: str = "",
) -> None:
    """One series with its 95% intervals; `path` None reads `curve` at each row's own step."""
    points = []
    for row in rows:
        where = path if path is not None else (curve, str(row["step"]))
        value, interval = at(row, where), at(row, ("intervals", *where))
        if value is not None:
            points.append((row["step"], value, interval or [value, value]))
    if not points:
        return
    steps, values = [p[0] for p in points], [p[1] for p in points]
    spread = [[v - i[0] for _, v, i in points], [i[1] - v for _, v, i in points]]
    spread = [[max(width, 0.0) for width in side] for side in spread]
    axes.errorbar(
        steps,
        values,
        yerr=spread,
        color=colour,
        linestyle=dash,
        marker=marker,
        elinewidth=0.7,
        label=label,
        clip_on=False,
    )
