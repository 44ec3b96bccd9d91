"""The first screen of the page: labels and sentences for what `headline` and `arm_outcomes` found."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .arm_outcomes import ArmOutcome, spreads, tally
from .arm_words import (
    FEW_SEEDS,
    MOVES,
    SpreadView,
    arm_certainty,
    arm_null_sentence,
    arm_score_sentences,
    arms_sentence,
    null_sentence,
    spread_views,
)
from .format_display import Formats, format_label
from .headline import COLLAPSED, Certainty, Changes, NullEnds, Progress, Tile, certainty, progress, tiles
from .number_text import bounds, percent
from .page_table import Cell, signed
from .run_inputs import Parts
from .runs import Run
from .study_folder import JsonObject


@dataclass(frozen=True)
class TileView:
    """A tile with its words."""

    tile: Tile
    label: str
    meaning: str
    change: Cell | None


@dataclass(frozen=True)
class FirstScreen:
    """Sentences, and tiles of the one arm or over all arms."""

    sentence: str
    scores: str
    certainty: str = ""
    null: str = ""
    """The null model's number beside the winner's; empty where it is not defined."""
    tiles: list[TileView] = field(default_factory=list)
    over_arms: list[SpreadView] = field(default_factory=list)
    """Filled instead of `tiles` where the study has several arms."""


def first_screen(
    summary: JsonObject,
    runs: Sequence[Run],
    sets: Sequence[tuple[str, str]],
    outcomes: Sequence[Sequence[ArmOutcome]],
    changes: Sequence[Mapping[Parts, Changes]],
    formats: Formats,
    nulls: NullEnds,
) -> FirstScreen:
    """Over all arms where several have RL and one has both ends, else of the study's first group of runs.

    `outcomes` and `changes` (paired intervals of the scores, by group): one per problem set. The first
    screen is of the first set.
    """
    if not sets:
        return FirstScreen(main_sentence([], progress(runs), formats), score_sentences([]))
    if len(outcomes[0]) > 1 and any(outcome.tiles for outcome in outcomes[0]):
        return _of_arms(outcomes[0], formats)
    own = tiles(summary, runs, sets[0], changes[0].get(runs[0].group, {}), nulls)
    return FirstScreen(
        main_sentence(own, progress(runs), formats),
        score_sentences(own),
        certainty_sentences(certainty(summary, runs, sets[0]), formats) if own else "",
        null_sentence(own[0] if own else None),
        tiles=tile_views(own, formats),
    )


def _of_arms(outcomes: Sequence[ArmOutcome], formats: Formats) -> FirstScreen:
    found, over = tally(outcomes), spreads(outcomes)
    return FirstScreen(
        arms_sentence(found, formats),
        arm_score_sentences(found, over),
        arm_certainty(outcomes, found, formats),
        arm_null_sentence(found, over[0]),
        over_arms=spread_views(over, found.collapsed),
    )


def tile_views(found: Sequence[Tile], formats: Formats) -> list[TileView]:
    """Every tile with its words, in order."""
    return [TileView(one, tile_label(one, formats), tile_meaning(one), tile_change(one)) for one in found]


def tile_label(tile: Tile, formats: Formats) -> str:
    """What the tile's number is, for a reader who does not know the field's names of it."""
    if tile.measure == "share":
        if not tile.winner:
            return "Share of each seed’s most used format"
        return f"Answers written as {format_label(tile.winner, formats)}"
    return {
        "accuracy": "A sampled answer is correct",
        "pass@k": f"At least one of {tile.k} answers is correct",
        "maj@k": f"The most frequent of {tile.k} answers is correct",
    }[tile.measure]


def tile_meaning(tile: Tile) -> str:
    """The field's name of the number, or how it was taken."""
    if tile.measure == "share":
        taken = "share of all sampled answers"
        return taken if tile.winner else f"{taken}; {seed_winners(tile.winners)}"
    return {
        "accuracy": "pass@1, the accuracy",
        "pass@k": f"pass@{tile.k}",
        "maj@k": f"maj@{tile.k}, majority vote",
    }[tile.measure]


def tile_change(tile: Tile) -> Cell | None:
    """The paired change, as in the table of score changes; None where it is not known."""
    if tile.before is None or tile.after is None or tile.change_interval is None:
        return None
    low, high = tile.change_interval
    return signed({"value": tile.after - tile.before, "low": low, "high": high})


def seed_winners(names: Sequence[str]) -> str:
    """`omi1 in 2 seeds, tinygsm in 1`."""
    counted = Counter(names).most_common()
    first = f"{counted[0][0]} in {counted[0][1]} {'seed' if counted[0][1] == 1 else 'seeds'}"
    return ", ".join([first, *(f"{name} in {count}" for name, count in counted[1:])])


def main_sentence(found: Sequence[Tile], so_far: Progress | None, formats: Formats) -> str:
    """What happened to the formats; without evaluations, where training has come to."""
    if not found:
        return _progress_sentence(so_far, formats)
    share = found[0]
    before, after = percent(share.before), percent(share.after)
    winner = format_label(share.winner, formats) if share.winner else "the most used format of each seed"
    if (share.before or 0) >= COLLAPSED:
        return (
            f"The base model already used one format: {winner}. "
            f"It had {before} of the answers before RL and has {after} after RL."
        )
    if (share.after or 0) >= COLLAPSED:
        return f"RL collapsed the answers onto one format: {winner} went from {before} to {after}."
    return f"After RL the largest share belongs to {winner}. It went from {before} to {after} of the answers."


def _progress_sentence(so_far: Progress | None, formats: Formats) -> str:
    if so_far is None:
        return "No result yet."
    if so_far.share is None:
        return f"No result yet: RL is at step {so_far.step}."
    return (
        f"No result yet: at step {so_far.step} of RL, {format_label(so_far.leader, formats)} "
        f"has {percent(so_far.share)} of the training rollouts."
    )


def score_sentences(found: Sequence[Tile]) -> str:
    """What happened to the scores, one number a sentence."""
    if not found:
        return "The evaluation of the base or of the last checkpoint is missing."
    _, accuracy, *rest = found
    text = f"Accuracy (pass@1) {_moved(accuracy)}."
    return (
        f"{text} The chance that at least one of {rest[0].k} answers is correct {_moved(rest[0])}."
        if rest
        else text
    )


def _moved(tile: Tile) -> str:
    before, after = percent(tile.before), percent(tile.after)
    if tile.direction == "unclear":
        return f"{MOVES[tile.direction]}: {before} before RL, {after} after"
    return f"{MOVES[tile.direction]} from {before} to {after}"


def certainty_sentences(known: Certainty, formats: Formats) -> str:
    """Over how many seeds the finding stands, and whether they agree."""
    if len(known.winners) < 2:
        measured = (
            f"In this run the winning format’s share after RL is within {bounds(known.interval)}."
            if known.interval
            else "This run has no interval."
        )
        return f"{measured} There is one pretraining seed. Another seed may end differently."
    agreed = (
        f"The same format won in all of them: {format_label(known.winners[0], formats)}."
        if len(set(known.winners)) == 1
        else f"The winning formats differ: {seed_winners(known.winners)}."
    )
    least, most = percent(min(known.shares)), percent(max(known.shares))
    spread = f"The winner’s share after RL is {least if least == most else f'{least} to {most}'}."
    few = " With so few seeds the intervals are wide and rare outcomes go unseen."
    text = f"There are {len(known.winners)} pretraining seeds. {agreed} {spread}"
    return text + few if len(known.winners) < FEW_SEEDS else text
