"""What figures are drawn of: bands of shares, the null model's borders, lines with intervals."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes

from ..averages import at
from ..study_folder import JsonObject
from .look import series_style

PASS = (("accuracy", "pass@1", "-", "o"), ("pass@k", "pass@{k}", "--", "s"), ("maj@k", "maj@{k}", ":", "^"))


def draw_null(
    axes: Axes, steps: Sequence[int], null: Mapping[str, Sequence[float]], base: JsonObject | None = None
) -> None:
    """Borders of the null model's bands, dotted, from the shares of `base` (step 0) on."""
    start = [0] if base is not None else []
    below = [0.0] * (len(start) + len(steps))
    for i, (name, shares) in enumerate(list(null.items())[:-1]):
        first = [at(base, ("formats", name, "share")) or 0.0] if start else []
        below = [a + b for a, b in zip(below, [*first, *shares], strict=True)]
        axes.plot(
            [*start, *steps],
            below,
            color="black",
            linestyle=":",
            linewidth=0.9,
            label="null model" if i == 0 else None,
        )


def draw_bands(
    axes: Axes, rows: Sequence[JsonObject], formats: Sequence[str], own: Sequence[str] = ()
) -> None:
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
            facecolor=series_style(name, own).colour,
            hatch=series_style(name, own).hatch,
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


def draw_pass(axes: Axes, rows: Sequence[JsonObject], k: str) -> None:
    """pass@1, pass@k and maj@k with intervals."""
    for key, label, dash, marker in PASS:
        path = (key,) if key == "accuracy" else (key, k)
        draw_line(axes, rows, path, "black", dash, marker, label.format(k=k))


def draw_line(
    axes: Axes,
    rows: Sequence[JsonObject],
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
