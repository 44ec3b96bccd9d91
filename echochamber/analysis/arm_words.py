"""The words of a headline over several arms, and of the null model beside it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .arm_outcomes import ArmOutcome, Spread, Tally
from .format_display import Formats, format_label
from .headline import COLLAPSED, Measure, Tile
from .number_text import percent

MOVES = {"up": "rose", "down": "fell", "unclear": "did not clearly change"}
FEW_SEEDS = 5
"""Under this number of seeds the page warns of wide intervals."""
NAMED = 3
"""Winners that the headline names; the rest is counted together."""
LABELS: Mapping[Measure, str] = {
    "share": "Share of each arm’s winner",
    "accuracy": "A sampled answer is correct",
    "pass@k": "At least one of {k} answers is correct",
    "maj@k": "The most frequent of {k} answers is correct",
}
MEANINGS: Mapping[Measure, str] = {
    "share": "most used format after RL",
    "accuracy": "accuracy, pass@1",
    "pass@k": "pass@{k}",
    "maj@k": "maj@{k}, majority vote",
}


@dataclass(frozen=True)
class SpreadView:
    """A number over arms with its words."""

    spread: Spread
    label: str
    meaning: str
    moves: str


def spread_views(found: Sequence[Spread], collapsed: int) -> list[SpreadView]:
    """Every number with its words, in order. `collapsed`: arms in which one format took over."""
    taken = f"at least {percent(COLLAPSED)} in {collapsed} {'arm' if collapsed == 1 else 'arms'}"
    return [
        SpreadView(
            one,
            LABELS[one.measure].format(k=one.k),
            MEANINGS[one.measure].format(k=one.k),
            taken if one.measure == "share" else moves(one),
        )
        for one in found
    ]


def moves(spread: Spread) -> str:
    """`rose in 20 arms, fell in 1, did not clearly change in 3`."""
    counts = [(MOVES[way], spread.moves.get(way, 0)) for way in ("up", "down", "unclear")]
    (word, first), *rest = [pair for pair in counts if pair[1]]
    parts = [f"{word} in {first} {'arm' if first == 1 else 'arms'}", *(f"{word} in {n}" for word, n in rest)]
    return ", ".join(parts)


def arms_sentence(found: Tally, formats: Formats) -> str:
    """Which format won in how many arms."""
    kind = "arms" if found.evaluated == found.arms else "evaluated arms"
    over = f"{found.evaluated} {kind if found.evaluated > 1 else kind[:-1]}"
    named = list(found.by_arm.items())
    if not named:
        return f"In none of {over} did the seeds end with the same most used format."
    (first, count), *rest = named
    everywhere = {1: f"the one {kind[:-1]}", 2: f"both {kind}"}.get(found.evaluated, f"all {over}")
    where = everywhere if count == found.evaluated else f"{count} of {over}"
    parts = [f"After RL, {format_label(first, formats)} is the most used format in {where}"]
    parts += [f"{format_label(name, formats)} in {number}" for name, number in rest[: NAMED - 1]]
    if left := sum(number for _, number in rest[NAMED - 1 :]):
        parts.append(f"another one in {left}")
    differ = f" In {found.differ} the seeds differ." if found.differ else ""
    return ", ".join(parts) + f".{differ}"


def arm_score_sentences(found: Tally, over_arms: Sequence[Spread]) -> str:
    """In how many arms a format took over, and where the scores rose and fell."""
    taken = f"{found.collapsed} of {found.evaluated}" if found.collapsed < found.evaluated else "all"
    text = f"One format has at least {percent(COLLAPSED)} of the answers in {taken} arms."
    by_measure = {one.measure: one for one in over_arms}
    if accuracy := by_measure.get("accuracy"):
        text += f" Accuracy (pass@1) {moves(accuracy)}."
    if passed := by_measure.get("pass@k"):
        text += f" The chance that at least one of {passed.k} answers is correct {moves(passed)}."
    return text


def arm_certainty(outcomes: Sequence[ArmOutcome], found: Tally, formats: Formats) -> str:
    """Over how many runs the headline stands, and how they ended."""
    counts = [len(outcome.winners) for outcome in outcomes if outcome.tiles]
    least, most = min(counts), max(counts)
    each = f"{least} to {most} seeds" if least < most else f"{most} {'seed' if most == 1 else 'seeds'}"
    won = ", ".join(f"{format_label(name, formats)} in {number}" for name, number in found.by_run.items())
    text = f"There are {found.runs} finished runs, {each} an arm. By runs, the winners are {won}."
    if found.evaluated < found.arms:
        text += f" Of {found.arms} arms {found.arms - found.evaluated} are not evaluated yet."
    return text + (" With so few seeds rare outcomes go unseen." if least < FEW_SEEDS else "")


def arm_null_sentence(found: Tally, share: Spread | None) -> str:
    """The null model's number beside that of the arms; empty where it is not defined."""
    if share is None or share.null_after is None or not found.null_runs:
        return ""
    return (
        f"A bandit on formats alone has the same winner in {found.null_agrees} of {found.null_runs} runs. "
        f"It ends at {percent(share.null_after)} where the arms end at {percent(share.after)} "
        "(medians of the winner’s share)."
    )


def null_sentence(share: Tile | None) -> str:
    """The null model's number beside the winner's; empty where it is not defined."""
    if share is None or share.null_after is None:
        return ""
    name = "the same format" if share.winner else "the same formats"
    return (
        f"A bandit on formats alone brings {name} to {percent(share.null_after)}. "
        f"RL brought {'it' if share.winner else 'them'} to {percent(share.after)}."
    )
