"""Do verdicts hold under other seeds? Every split of the seeds into two halves, each half judged alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import sqrt

from ..core.study_tables import Tables
from ..stats.intervals import t_quantile
from .claim_set import ClaimSet
from .declare import Claim
from .estimate import FEWEST_SEEDS, Judgement
from .judge import RULES

Pair = tuple[Judgement, Judgement]


@dataclass(frozen=True)
class Stability:
    """Verdicts of one claim on the two halves of every split."""

    claim: Claim
    splits: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]
    verdicts: tuple[Pair, ...]
    whole: Judgement
    """On all the seeds together."""

    @property
    def kept(self) -> float:
        """Share of splits whose halves agree."""
        return sum(first == second for first, second in self.verdicts) / len(self.verdicts)

    @property
    def agrees(self) -> float:
        """Share of halves with the verdict of the whole."""
        halves = [verdict for pair in self.verdicts for verdict in pair]
        return halves.count(self.whole) / len(halves)

    @property
    def turned(self) -> int:
        """Splits in which one half supports and the other contradicts."""
        return sum({"supported", "contradicted"} == set(pair) for pair in self.verdicts)


def halves(seeds: Sequence[int]) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """All unordered splits of an even number of seeds into equal halves: ten for six."""
    ordered = sorted(seeds)
    assert len(ordered) % 2 == 0, f"{len(ordered)} seeds cannot be halved"
    first = [part for part in combinations(ordered, len(ordered) // 2) if ordered[0] in part]
    return [(part, tuple(seed for seed in ordered if seed not in part)) for part in first]


def stability(tables: Tables, claim: Claim, seeds: Sequence[int], rules: int) -> Stability:
    """The claim judged on both halves of every split of `seeds`, by this version of the rules."""
    return _stability(tables, _parts(tables, seeds), claim, seeds, rules)


def _parts(tables: Tables, seeds: Sequence[int]) -> dict[tuple[int, ...], Tables]:
    """The tables of every half; made once, since building them takes most of the time."""
    return {part: tables.only_seeds(part) for split in halves(seeds) for part in split}


def _stability(
    tables: Tables, parts: dict[tuple[int, ...], Tables], claim: Claim, seeds: Sequence[int], rules: int
) -> Stability:
    judge = RULES[rules]
    verdicts = {part: judge(claim, of).verdict for part, of in parts.items()}
    splits = halves(seeds)
    whole = judge(claim, tables.only_seeds(seeds)).verdict
    return Stability(claim, tuple(splits), tuple((verdicts[a], verdicts[b]) for a, b in splits), whole)


def seeds_of(tables: Tables, claim: Claim, rules: int) -> list[int]:
    """Seeds that carry every criterion of the claim; empty where it is not testable."""
    parts = RULES[rules](claim, tables).criteria
    common = [set(part.estimate.seeds) for part in parts]
    return sorted(set.intersection(*common)) if common else []


def check_stability(tables: Tables, claim_set: ClaimSet, count: int = 2 * FEWEST_SEEDS) -> list[Stability]:
    """Claims that have at least `count` seeds, each under every split of its first `count`."""
    claims, rules = list(claim_set.by_number.values()), claim_set.rules
    chosen = {claim.number: tuple(seeds_of(tables, claim, rules)[:count]) for claim in claims}
    parts = {seeds: _parts(tables, seeds) for seeds in set(chosen.values()) if len(seeds) == count}
    return [
        _stability(tables, parts[chosen[c.number]], c, chosen[c.number], rules)
        for c in claims
        if chosen[c.number] in parts
    ]


def overall(found: Sequence[Stability]) -> tuple[float, int]:
    """(share of splits that keep their verdict, splits that turn it) over all claims."""
    splits = sum(len(one.verdicts) for one in found)
    kept = sum(one.kept * len(one.verdicts) for one in found)
    return (kept / splits if splits else float("nan")), sum(one.turned for one in found)


def agreeing(found: Sequence[Stability]) -> float:
    """Share of all halves that have the verdict of the whole."""
    return sum(one.agrees * len(one.verdicts) for one in found) / sum(len(one.verdicts) for one in found)


def wider(few: int, many: int) -> float:
    """Width of Student's 95% interval of `few` seeds over that of `many`, at the same spread."""
    return t_quantile(0.975, few - 1) / t_quantile(0.975, many - 1) * sqrt(many / few)
