"""The first screen of the page: of the study's one arm, or over all of its arms."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .arm_outcomes import ArmOutcome, spreads, tally
from .arm_words import (
    SpreadView,
    arm_certainty,
    arm_null_sentence,
    arm_score_sentences,
    arms_sentence,
    null_sentence,
    spread_views,
)
from .headline import Changes, NullEnds, certainty, progress, tiles
from .page_words import Formats, TileView, certainty_sentences, main_sentence, score_sentences, tile_views
from .run_inputs import Parts
from .runs import Run
from .study_folder import JsonObject


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
