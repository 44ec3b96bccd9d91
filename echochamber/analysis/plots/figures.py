"""One function per figure. Every function takes tables or runs and returns a figure."""

from collections.abc import Mapping, Sequence

import matplotlib as mpl
import polars as pl
from matplotlib.figure import Figure

from ..averages import at, average_rows
from ..runs import Run
from ..study_folder import JsonObject
from .draw import draw_bands, draw_line, draw_null, draw_pass
from .look import COLUMN, PAGE, SETTINGS, legend, series_style, share_axis, sheet, step_axis

RARE = 0.02
"""Share under which a format's accuracy is not drawn.

A handful of completions gives intervals from 0 to 1.
"""


def checkpoints(runs: Sequence[Run], chosen: tuple[str, str]) -> list[JsonObject]:
    """One averaged row per step that all runs have."""
    shared = set.intersection(*[set(run.steps(chosen)) for run in runs]) if runs else set()
    rows = []
    for step in sorted(shared):
        found = [row for run in runs if (row := run.row(chosen, step))]
        rows.append({"step": step} | average_rows(found))
    return rows


def dynamics(
    runs: Sequence[Run],
    chosen: tuple[str, str],
    formats: Sequence[str],
    k: str,
    null: tuple[Sequence[int], Mapping[str, Sequence[float]]] | None = None,
    own: Sequence[str] = (),
) -> Figure:
    """The paper's Figures 2, 4 and 7: shares, accuracy per format, pass rates over RL steps, one arm.

    `null`: steps and shares per format of the bandit, drawn over the bands. `own`: the study’s own formats.
    """
    rows = checkpoints(runs, chosen)
    figure, (shares, accuracy, passed) = sheet(COLUMN, 4.6, rows=3, sharex=True)
    with mpl.rc_context(SETTINGS):
        draw_bands(shares, rows, formats, own)
        if null is not None:
            draw_null(shares, *null, base=rows[0] if rows and rows[0]["step"] == 0 else None)
        for name in formats:
            often = [row for row in rows if (at(row, ("formats", name, "share")) or 0.0) >= RARE]
            draw_line(
                accuracy,
                often,
                ("formats", name, "accuracy"),
                series_style(name, own).colour,
                series_style(name, own).dash,
                series_style(name, own).marker,
                name,
            )
        draw_pass(passed, rows, k)
        for axes, label in ((shares, "share"), (accuracy, "accuracy"), (passed, "right")):
            share_axis(axes, label)
            step_axis(axes, rows[-1]["step"] if rows else 1)
        legend(passed, ncols=3, loc="lower right")
        passed.set_xlabel("RL step")
        named = [axes.get_legend_handles_labels() for axes in (accuracy, shares)]
        if any(handles for handles, _ in named):
            figure.legend(
                [h for handles, _ in named for h in handles],
                [name for _, names in named for name in names],
                ncols=4,
                loc="outside upper center",
            )
    return figure


def arms(
    groups: Mapping[str, Sequence[Run]],
    chosen: tuple[str, str],
    formats: Sequence[str],
    k: str,
    own: Sequence[str] = (),
) -> Figure:
    """The paper's Figures 3, 4, 7, 14 and 20: arms side by side (KL weights, copies, sizes, algorithms)."""
    figure, cells = sheet(
        min(PAGE, 1.1 + 1.9 * len(groups)), 2.9, rows=2, columns=len(groups), sharex="col", sharey="row"
    )
    with mpl.rc_context(SETTINGS):
        for i, (label, runs) in enumerate(groups.items()):
            rows = checkpoints(runs, chosen)
            top, bottom = cells[i], cells[len(groups) + i]
            draw_bands(top, rows, formats, own)
            draw_pass(bottom, rows, k)
            top.set_title(label)
            for axes, name in ((top, "share"), (bottom, "right")):
                share_axis(axes, name)
                step_axis(axes, rows[-1]["step"] if rows else 1)
                axes.label_outer()
            bottom.set_xlabel("RL step")
        legend(cells[len(groups)], loc="lower right")
    return figure


def dose(finals: Mapping[float, JsonObject], label: str, k: str) -> Figure:
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

    `table` has the columns of `questions.format_style.style_estimates`; a step without estimate is a gap.
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


def _known(row: JsonObject) -> list[float] | None:
    return [row["low"], row["high"]] if row["low"] is not None else None


def pass_curves(base: JsonObject, final: JsonObject) -> Figure:
    """pass@k and maj@k to the largest k, before and after RL."""
    figure, cells = sheet(PAGE, 2.2, columns=2, sharey=True)
    with mpl.rc_context(SETTINGS):
        for axes, curve in zip(cells, ("pass@k", "maj@k"), strict=True):
            for row, label, dash, marker in ((base, "before RL", "--", "o"), (final, "after RL", "-", "s")):
                ks = sorted(int(k) for k, value in row[curve].items() if value is not None)
                draw_line(axes, [row | {"step": k} for k in ks], None, "black", dash, marker, label, curve)
            axes.set_xscale("log", base=2)
            ks = sorted(int(k) for k in base[curve])
            ticks = ks[:: 1 + len(ks) // 8] or [1]
            axes.set_xticks(ticks, [str(k) for k in ticks])
            axes.minorticks_off()
            share_axis(axes, curve)
            axes.set_xlabel("k")
            legend(axes, loc="lower right")
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
        axes.set_ylim(len(table) - 0.4, -0.6)
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
            heights = [table.filter((pl.col("k") == k) & (pl.col("kind") == kind))["value"][0] for k in ks]
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


def floors(table: pl.DataFrame) -> Figure:
    """pass@k by answers, by whole solutions and by chance, before and after RL.

    Columns last, kind, k, value, low, high.
    """
    figure, cells = sheet(PAGE, 2.2, columns=2, sharey=True)
    looks = {
        "answer": ("right answer", "-", "o", "0.0"),
        "steps": ("by right steps", "--", "s", "0.3"),
        "chance": ("chance floor", ":", "^", "0.5"),
    }
    with mpl.rc_context(SETTINGS):
        for axes, last in zip(cells, (False, True), strict=True):
            for kind, (label, dash, marker, shade) in looks.items():
                part = table.filter((pl.col("last") == last) & (pl.col("kind") == kind)).sort("k")
                rows = [
                    {"step": row["k"], "value": row["value"], "intervals": {"value": _known(row)}}
                    for row in part.iter_rows(named=True)
                ]
                draw_line(axes, rows, ("value",), shade, dash, marker, label)
            ks = table["k"].unique().sort().to_list()
            axes.set_xscale("log", base=2)
            axes.set_xticks(ks, [str(k) for k in ks])
            axes.minorticks_off()
            share_axis(axes, "pass@k")
            axes.set_title("after RL" if last else "before RL")
            axes.set_xlabel("k")
        legend(cells[0], loc="center right")
    return figure


def estimates(
    rows: Sequence[JsonObject],
    labels: Sequence[str],
    meaning: str,
    shares: bool = False,
    scale: float = 100,
) -> Figure:
    """One row of dots with 95% intervals per label: columns value, low, high, times `scale`.

    A value of None says so.
    """
    figure, (axes,) = sheet(COLUMN, 0.7 + 0.2 * len(rows))
    with mpl.rc_context(SETTINGS):
        for i, row in enumerate(rows):
            if row["value"] is None:
                axes.annotate("not estimable", (0, i), fontsize=6, va="center")
                continue
            if row["low"] is not None:
                axes.plot([scale * row["low"], scale * row["high"]], [i, i], color="black", linewidth=1)
            axes.plot([scale * row["value"]], [i], "o", color="black")
        axes.set_yticks(range(len(rows)), list(labels))
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.set_xlabel(meaning)
        if shares:
            axes.set_xlim(0, 100)
        else:
            axes.axvline(0, color="grey", linewidth=0.6)
    return figure
