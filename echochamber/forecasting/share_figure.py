"""Forecast shares over the steps of RL, as an SVG that needs no script."""

from xml.sax.saxutils import escape

from .outcome import LEVEL, Outcome, SimulatedEstimate
from .words import percent, title_of

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 820, 320, 46, 270, 12, 54
_DASHES = ("", "6 3", "2 3", "8 3 2 3")


def share_figure(outcome: Outcome) -> str:
    """One line per behaviour with its interval as a band; titles stand at the lines' ends."""
    steps = len(next(iter(outcome.share_paths.values()))) - 1
    parts = [_axes(steps)]
    ends = _apart([path[-1].value for path in outcome.share_paths.values()])
    for index, (name, path) in enumerate(outcome.share_paths.items()):
        colour = f"var(--format-{index % 12})"
        line = " ".join(f"{_x(i, steps):.1f},{_y(one.value):.1f}" for i, one in enumerate(path))
        parts.append(f'<polygon points="{_band(path, steps)}" fill="{colour}" opacity="0.18"/>')
        parts.append(
            f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2.5" '
            f'stroke-dasharray="{_DASHES[index % len(_DASHES)]}"/>'
        )
        label = f"{title_of(name)} {percent(path[-1].value)}"
        parts.append(
            f'<text x="{WIDTH - RIGHT + 8}" y="{ends[index] + 4:.1f}" fill="currentColor" '
            f'font-size="13">{escape(label)}</text>'
        )
    words = f"Forecast share of each behaviour over {steps} steps of RL, with bands of {percent(LEVEL)}."
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{words}" '
        f'style="width:100%;height:auto">{"".join(parts)}</svg>'
    )


def _x(step: int, steps: int) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * step / max(steps, 1)


def _y(share: float) -> float:
    return TOP + (HEIGHT - TOP - BOTTOM) * (1 - share)


def _band(path: list[SimulatedEstimate], steps: int) -> str:
    upper = [f"{_x(i, steps):.1f},{_y(one.high):.1f}" for i, one in enumerate(path)]
    lower = [f"{_x(i, steps):.1f},{_y(one.low):.1f}" for i, one in enumerate(path)]
    return " ".join([*upper, *reversed(lower)])


def _axes(steps: int) -> str:
    """Lines at 0, 50 and 100%, and the first and last step."""
    lines = [
        f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{_y(share):.1f}" y2="{_y(share):.1f}" '
        f'stroke="var(--rule)"/><text x="{LEFT - 6}" y="{_y(share) + 4:.1f}" text-anchor="end" '
        f'fill="var(--soft)" font-size="12">{percent(share)}</text>'
        for share in (0.0, 0.5, 1.0)
    ]
    ends = ((0, "start", "base"), (steps, "end", f"step {steps}"))
    marks = [
        f'<text x="{_x(step, steps):.1f}" y="{HEIGHT - BOTTOM + 20}" text-anchor="{anchor}" '
        f'fill="var(--soft)" font-size="12">{words}</text>'
        for step, anchor, words in ends
    ]
    return "".join(lines + marks)


def _apart(shares: list[float], gap: float = 16.0) -> list[float]:
    """Heights of labels near their lines' ends, at least `gap` apart."""
    order = sorted(range(len(shares)), key=lambda i: -shares[i])
    heights, lowest = [0.0] * len(shares), TOP - gap
    for i in order:
        lowest = heights[i] = max(_y(shares[i]), lowest + gap)
    return heights
