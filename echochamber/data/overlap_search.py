"""A source of real rows searched for problem sets, apart from its token ids, by worker processes.

overlaps.json     what the source has in common with each set
searched/         one mark for each input file that was searched; they stay when the run is killed
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ..core.errors import UserError
from ..core.files import make_folder, read_json, write_json
from ..core.progress import progress_bar
from ..core.types import Problem
from .contamination import ContaminationChecker, refuse_contaminated
from .file_workers import written
from .hub import THE_HUB, HubConfig
from .local_sources import RowSource
from .part_overlaps import PartOverlap, merged_overlaps, parse_overlap, part_overlap
from .part_writer import batches
from .source_config import SourceConfig
from .source_files import SourceFile, at_hand, source_files

OVERLAPS = "overlaps.json"
_SEARCHED, _DOWNLOADS = "searched", "downloads"


@dataclass(frozen=True)
class SearchedSource:
    """A source and where it lies."""

    name: str
    config: SourceConfig
    threshold: float = 1.0
    """Share of a problem set above which the search ends with an error."""
    hub: HubConfig = THE_HUB


@dataclass
class _Searcher:
    """What a worker process holds from file to file."""

    source: SearchedSource
    checker: ContaminationChecker
    folder: Path

    def write(self, number: int, file: SourceFile) -> None:
        """Search one file and write its mark."""
        source, config, place = self.source, self.source.config, None
        if file.path is None:
            assert config.hub is not None
            place = source.hub.place(config.hub, config.revision)
        checker = self.checker.fresh()
        with at_hand(file, place, self.folder / _DOWNLOADS / f"{number:05d}") as path:
            for batch in batches(RowSource(source.name, config, source.hub).documents_of(path)):
                checker.add_all(batch)
                refuse_contaminated(source.name, checker.overlaps.values(), source.threshold, whole=False)
        found = [part_overlap(overlap, file.name) for overlap in checker.overlaps.values()]
        write_json(_mark(self.folder, number), {"name": file.name, "overlaps": found})


def search_source(
    source: SearchedSource, against: Mapping[str, Sequence[Problem]], folder: Path, workers: int = 1
) -> None:
    """Write `overlaps.json` into `folder`, going on where an earlier run was killed.

    `UserError` where the source holds more of a set than its threshold allows.
    """
    files = source_files(source.name, source.config, source.hub)
    make_folder(folder / _SEARCHED)
    done = {
        number: rows for number, file in enumerate(files) if (rows := _read(folder, number, file)) is not None
    }
    todo = sorted(set(range(len(files))) - set(done), key=lambda number: -files[number].size)
    before = sum(files[number].size for number in done)
    worker = partial(_make_searcher, source, dict(against), folder)
    with progress_bar(f"search {source.name}", sum(file.size for file in files), before, "bytes") as bar:
        for number in written(source.name, worker, files, todo, workers):
            rows = _read(folder, number, files[number])
            assert rows is not None, "a mark that was just written"
            done[number] = rows
            refuse_contaminated(
                source.name, merged_overlaps(done.values()), source.threshold, whole=len(done) == len(files)
            )
            bar.advance(files[number].size)
    merged = merged_overlaps(done[number] for number in range(len(files)))
    write_json(folder / OVERLAPS, {"contamination": [overlap.to_json() for overlap in merged]})


def read_overlaps(folder: Path) -> list[dict[str, object]]:
    """The rows of a finished search."""
    rows = read_json(folder / OVERLAPS).get("contamination")
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _make_searcher(source: SearchedSource, against: dict[str, Sequence[Problem]], folder: Path) -> _Searcher:
    return _Searcher(source, ContaminationChecker(against), folder)


def _mark(folder: Path, number: int) -> Path:
    return folder / _SEARCHED / f"{number:05d}.json"


def _read(folder: Path, number: int, file: SourceFile) -> list[PartOverlap] | None:
    """What a file has in common with the sets; None where it was not searched to its end."""
    try:
        data = read_json(_mark(folder, number)) if _mark(folder, number).is_file() else {}
    except UserError:
        return None
    rows = data.get("overlaps")
    if data.get("name") != file.name or not isinstance(rows, list):
        return None
    found = [parse_overlap(row) for row in rows]
    return None if None in found else [row for row in found if row is not None]
