"""The finding in words: what a stranger should know after ten seconds."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .averages import Row, at, seed_interval, top_format
from .number_text import bounds, percent
from .runs import Run, ends

TITLES = {
    "tinygsm": "Python function",
    "omi1": "code block with output",
    "omi2": "prose with a box",
    "metamath": "prose, “The answer is”",
    "gsm8k": "prose, “####”",
    "other": "no known format",
}
"""What a reader sees beside the name of a format."""
COLLAPSED = 0.9
"""From this share on one format has taken over (the criterion for claim 1, fixed before any run)."""


@dataclass(frozen=True)
class Tile:
    """One number before and after."""

    label: str
    meaning: str
    before: float | None
    after: float | None
    before_interval: list[float] | None
    after_interval: list[float] | None
    target: dict[str, Any]
    """What the completion browser shows when the number is clicked."""
    change_interval: tuple[float, float] | None = None
    """Of after - before, each problem or seed its own control, where it is known."""

    @property
    def direction(self) -> str:
        """`up`, `down`, or `unclear`: by the paired interval, else by whether the two intervals overlap."""
        if self.change_interval:
            low, high = self.change_interval
            return "up" if low > 0 else "down" if high < 0 else "unclear"
        if self.before is None or self.after is None or not self.before_interval or not self.after_interval:
            return "unclear"
        if self.after_interval[0] > self.before_interval[1]:
            return "up"
        return "down" if self.after_interval[1] < self.before_interval[0] else "unclear"


def change(tile: Tile) -> str:
    """`+31.5 points [26.2 to 36.8]`, the paired change of the table of gains; empty where it is not known."""
    if tile.before is None or tile.after is None or tile.change_interval is None:
        return ""
    low, high = (max(min(100 * bound, 100), -100) for bound in tile.change_interval)
    return f"{100 * (tile.after - tile.before):+.1f} points [{low:.1f} to {high:.1f}]"


def title(name: str) -> str:
    """`Python function (tinygsm)`."""
    return f"{TITLES[name]} ({name})" if name in TITLES else name


def tiles(
    summary: Row,
    runs: Sequence[Run],
    chosen: tuple[str, str],
    changes: Mapping[str, tuple[float, float]] | None = None,
) -> list[Tile]:
    """Share of the winner, accuracy, and pass@k and maj@k at the largest k that both ends have.

    `changes`: score -> paired interval of its change (`questions.score_changes.paired_changes`).
    """
    changes = changes or {}
    base, final = summary["base"], summary["final"]
    if base is None or final is None:
        return []
    found = [_winner_tile([run for run in runs if run.group == runs[0].group], chosen)]
    found.append(
        _tile(
            "Right at the first try",
            "pass@1: accuracy of one sampled answer",
            base,
            final,
            "accuracy",
            change=changes.get("accuracy"),
        )
    )
    largest = max((int(k) for k in base["pass@k"] if final["pass@k"].get(k) is not None), default=1)
    if largest > 1:
        meaning = f"pass@{largest}: at least one of {largest} sampled answers is right"
        found.append(
            _tile(
                f"Right within {largest} tries",
                meaning,
                base,
                final,
                "pass@k",
                str(largest),
                changes.get(f"pass@{largest}"),
            )
        )
        meaning = f"maj@{largest}: the most frequent of {largest} sampled answers is right"
        found.append(
            _tile(
                f"Right by vote of {largest}",
                meaning,
                base,
                final,
                "maj@k",
                str(largest),
                changes.get(f"maj@{largest}"),
            )
        )
    return found


def _tile(
    label: str,
    meaning: str,
    base: Row,
    final: Row,
    name: str,
    k: str | None = None,
    change: tuple[float, float] | None = None,
) -> Tile:
    path = (name,) if k is None else (name, k)
    return Tile(
        label,
        meaning,
        before=at(base, path),
        after=at(final, path),
        before_interval=at(base, ("intervals", *path)),
        after_interval=at(final, ("intervals", *path)),
        target={"step": final["step"], "format": ""},
        change_interval=change,
    )


def _winner_tile(group: Sequence[Run], chosen: tuple[str, str]) -> Tile:
    """Each seed's own winner, its share before and after; over several seeds with Student's t."""
    pairs = [(base, final) for base, final in (ends(run, chosen) for run in group) if base and final]
    names = [top_format(final) or "other" for _, final in pairs]
    unanimous = len(set(names)) == 1
    sides = [[_share(pair[i], name) for pair, name in zip(pairs, names, strict=True)] for i in (0, 1)]
    path = [("intervals", "formats", name, "share") for name in names]
    within = [[at(pair[i], where) for pair, where in zip(pairs, path, strict=True)] for i in (0, 1)]
    intervals = [within[i][0] if len(pairs) == 1 else seed_interval(sides[i], within[i]) for i in (0, 1)]
    return Tile(
        label=f"Written as {title(names[0])}" if unanimous else "Written in each seed’s own winner",
        meaning="share of all sampled answers"
        if unanimous
        else f"share of all sampled answers; {winners(names)}",
        before=sum(sides[0]) / len(pairs),
        after=sum(sides[1]) / len(pairs),
        before_interval=intervals[0],
        after_interval=intervals[1],
        target={"step": pairs[0][1]["step"], "format": names[0] if unanimous else ""},
    )


def _share(row: Row, name: str) -> float:
    return float((row["formats"].get(name) or {}).get("share") or 0.0)


def winners(names: Sequence[str]) -> str:
    """`omi1 in 2 seeds, tinygsm in 1`."""
    counted = Counter(names).most_common()
    first = f"{counted[0][0]} in {counted[0][1]} {'seed' if counted[0][1] == 1 else 'seeds'}"
    return ", ".join([first, *(f"{name} in {count}" for name, count in counted[1:])])


def sentences(found: Sequence[Tile], runs: Sequence[Run] = ()) -> tuple[str, str]:
    """The finding in one sentence, and the price or prize in a second; where it has come to, without evaluations."""
    if not found:
        missing = "The evaluation of the base or of the last checkpoint is missing."
        dense = next((run.dense for run in runs if run.dense), [])
        return (_so_far(dense[-1]), missing) if dense else ("No answer yet.", missing)
    share, accuracy, *rest = found
    after, before = percent(share.after), percent(share.before)
    winner = share.label.removeprefix("Written as ")
    if winner == share.label:
        winner = "a format that differs by seed"
    if (share.before or 0) >= COLLAPSED:
        main = f"There was little to choose from: {winner} had {before} of the answers before reinforcement learning and has {after} after it."
    elif (share.after or 0) >= COLLAPSED:
        main = f"Reinforcement learning left the model with one way to answer: {winner}, from {before} of its answers to {after}."
    else:
        main = f"After reinforcement learning the most used format is {winner}, with {after} of the answers; it had {before}."
    second = f"A single try is right {percent(accuracy.after)} of the time, {percent(accuracy.before)} before"
    if rest:
        change = {"up": "rose", "down": "fell", "unclear": "did not clearly move"}[rest[0].direction]
        tries = rest[0].label.removeprefix("Right within ")
        second += f"; the chance of a right one among {tries} {change}: {percent(rest[0].before)} to {percent(rest[0].after)}"
    return main, second + "."


def how_sure(summary: Row, runs: Sequence[Run], chosen: tuple[str, str]) -> str:
    """How far the headline can be trusted: over how many seeds, and whether they agree."""
    group = [run for run in runs if run.group == runs[0].group]
    found = [final for base, final in (ends(run, chosen) for run in group) if base and final]
    names = [top_format(final) or "other" for final in found]
    if len(found) < 2:
        share = at(summary, ("final", "intervals", "formats", names[0], "share")) if names else None
        measured = (
            f"The winner’s share after RL lies within {bounds(share)} in this run"
            if share
            else "The run has no interval"
        )
        return f"{measured}, from one pretraining seed. Whether another seed would end the same way, one seed cannot say."
    shares = [_share(final, name) for final, name in zip(found, names, strict=True)]
    agreed = "the same format won in all" if len(set(names)) == 1 else f"winners differ: {winners(names)}"
    spread = f"its share after RL lies between {percent(min(shares))} and {percent(max(shares))}"
    few = (
        " With so few seeds the intervals are wide, and rare outcomes stay unseen." if len(found) < 5 else ""
    )
    return f"{len(found)} pretraining seeds; {agreed}; {spread}.{few}"


def _so_far(row: Row) -> str:
    """Where training has come to, read off its last logged step."""
    shares = {
        key.split("/")[1]: value
        for key, value in row.items()
        if key.startswith("format/") and key.endswith("/share") and value
    }
    if not shares:
        return f"No answer yet: RL is at step {row['step']}."
    leader = max(shares, key=lambda name: float(shares[name]))
    return f"No answer yet: at step {row['step']} of RL, {title(leader)} has {percent(shares[leader])} of the training rollouts."
