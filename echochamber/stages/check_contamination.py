"""A mixture's sources against the problem sets of further evaluations: what they hold, and whether too much.

contamination.json    per source, the overlap with each set
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from ..core.errors import UserError
from ..core.files import read_json, write_json
from ..core.progress import say
from ..core.types import Problem
from ..data.contamination import ContaminationChecker, Overlap, refuse_contaminated
from ..data.hub import HubConfig
from ..data.mixture import open_sources
from ..data.overlap_search import read_overlaps
from ..data.plan import contamination_lines
from ..data.source_config import MixtureConfig
from ..data.world import WorldConfig
from .prepare import read_problems

CONTAMINATION = "contamination.json"


@dataclass(frozen=True)
class DrawnSources:
    """Sources of a user's module, which are read anew here: as many documents as the mixture drew."""

    names: Sequence[str]
    shards: Path
    """With the mixture's plan, which says how many."""
    world: WorldConfig
    seed: int
    hub: HubConfig


def read_sets(folders: Mapping[str, Path]) -> dict[str, list[Problem]]:
    """The problems of several finished sets."""
    return {label: read_problems(folder) for label, folder in folders.items()}


def check_mixture(
    mixture: MixtureConfig,
    searched: Mapping[str, Path],
    drawn: DrawnSources,
    against: Mapping[str, Sequence[Problem]],
    folder: Path,
) -> None:
    """Write what every source holds of the sets; `UserError` where it is more than the mixture allows.

    `searched`: source -> its finished search. `against` are the sets that `drawn` is searched for.
    """
    found = {name: read_overlaps(path) for name, path in searched.items()}
    if drawn.names:
        found |= _search_drawn(mixture, drawn, against)
    for name, rows in found.items():
        refuse_contaminated(name, (Overlap.from_json(row) for row in rows), mixture.max_contamination)
    sources = [{"name": name, "contamination": found[name]} for name in mixture.sources if name in found]
    say("\n".join(contamination_lines({"sources": sources})))
    write_json(folder / CONTAMINATION, {"sources": sources})


def _search_drawn(
    mixture: MixtureConfig, drawn: DrawnSources, against: Mapping[str, Sequence[Problem]]
) -> dict[str, list[dict[str, object]]]:
    counts = _documents(drawn.shards / "plan.json")
    found = {}
    for source in open_sources(mixture, drawn.world, drawn.seed, drawn.hub):
        if source.name in drawn.names:
            checker = ContaminationChecker(against)
            checker.add_all(islice(source.documents(), counts[source.name]))
            found[source.name] = [overlap.to_json() for overlap in checker.overlaps.values()]
    return found


def _documents(path: Path) -> dict[str, int]:
    """Source -> documents that the mixture drew."""
    counts = {}
    rows = read_json(path).get("sources")
    for row in rows if isinstance(rows, list) else []:
        match row:
            case {"name": str(name), "documents_available": int(count)}:
                counts[name] = count
            case _:
                raise UserError(f"{path}: is not the plan of a mixture; prepare the mixture again")
    return counts
