"""Rows of the hub's data sets by name: streamed at a fixed commit (extra `[hub]`), or from a local copy."""

import importlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ..core.config import Config
from ..core.errors import UserError

if TYPE_CHECKING:
    from .rows import RowAt

PREFIX = "hub:"
"""Marks a problem set's name as one of the hub: `hub:math500`, `hub:owner/name@COMMIT`."""
HubSplit = Literal["train", "test"]
_COMMIT = re.compile(r"[0-9a-f]{40}")
_NAME = re.compile(r"[\w.-]+(?:/[\w.-]+)?")
_BUILDERS = {".parquet": "parquet", ".csv": "csv", ".json": "json", ".jsonl": "json", ".jsonl.zst": "json"}


@dataclass(frozen=True, slots=True)
class HubSet:
    """Where a known data set lies and which of its files are read."""

    repository: str
    train: str | None = None
    """Pattern of the files to train on; None: it is there to be evaluated on."""
    test: str | None = None
    """Pattern of the files to evaluate on; None: it is there to be trained on."""
    revision: str | None = None
    """The commit that public code reads (docs/data.md says how it was found); None: the user names one."""


HUB_SETS: dict[str, HubSet] = {
    "tinygsm": HubSet("TinyGSM/TinyGSM", "data/*.parquet"),
    "openmathinstruct1": HubSet("nvidia/OpenMathInstruct-1", "correct_solutions/train.jsonl"),
    # Not data/*.parquet: beside `train` lie train_1M, train_2M and train_5M, parts of it again.
    "openmathinstruct2": HubSet(
        "nvidia/OpenMathInstruct-2",
        "data/train-*.parquet",
        revision="469216e3f46f4dacf476b382e192485ea51a143e",
    ),
    "metamathqa": HubSet(
        "meta-math/MetaMathQA", "MetaMathQA-395K.json", revision="aa4f34d3d2d3231299b5b03d9b3e5a20da45aa18"
    ),
    "finemath3plus": HubSet(
        "HuggingFaceTB/finemath",
        "finemath-3plus/train-*.parquet",
        revision="e92b25a616738fe95dc186b64dfb19f9c8525594",
    ),
    "algebraic-stack": HubSet(
        "EleutherAI/proof-pile-2",
        "algebraic-stack/train/*.jsonl.zst",
        revision="901a9273a770e9d4138c5ddd91802f9c5c6cdc4b",
    ),
    "gsm8k": HubSet(
        "openai/gsm8k",
        "main/train-*.parquet",
        "main/test-*.parquet",
        "740312add88f781978c0658806c59bc2815b9866",
    ),
    # lighteval/MATH, the paper's name, was taken down in January 2025.
    "math": HubSet(
        "DigitalLearningGmbH/MATH-lighteval",
        "data/train-*.parquet",
        "data/test-*.parquet",
        "0530c78699ea5e8eb5530600900e1f328b48acad",
    ),
    "svamp": HubSet(
        "ChilleD/SVAMP",
        "data/train-*.parquet",
        "data/test-*.parquet",
        "5e0bf1e5e7c0e9c4bc39180d224f41f3f801b7ef",
    ),
    "math500": HubSet(
        "HuggingFaceH4/MATH-500", test="test.jsonl", revision="6e4ed1a2a79af7d8630a6b768ec859cb5af4d3be"
    ),
    "aime": HubSet(
        "gneubig/aime-1983-2024", test="*.csv", revision="1f8845323b0b5994dbd74bbd0e01dc077cbcd827"
    ),
    "aime-2022-2024": HubSet(
        "AI-MO/aimo-validation-aime",
        test="data/train-*.parquet",
        revision="13f9e12f613e720c2a2b2f345dd04b998a29494d",
    ),
    "aime-2024": HubSet("Maxwell-Jia/AIME_2024", test="*.parquet"),
}
"""Short name -> place."""


@dataclass(frozen=True, slots=True)
class HubPlace:
    """A data set at one commit."""

    name: str
    known: HubSet
    commit: str
    """Empty for a local copy of a set whose commit nobody named."""
    folder: Path | None = None
    """The local copy; None: it is on the hub."""


def hub_place(name: str, revision: str | None = None, copies: Path | None = None) -> HubPlace:
    """Where a known data set, or any `owner/name`, lies at a commit; `UserError` without a commit.

    `copies`: folder with local copies, as `OWNER/NAME/FILES` or as the hub's own cache
    (`datasets--OWNER--NAME/snapshots/COMMIT/FILES`). These need no commit: their content counts.
    """
    known = HUB_SETS.get(name) or (HubSet(name) if "/" in name and _NAME.fullmatch(name) else None)
    if known is None or any(part.startswith(".") for part in known.repository.split("/")):
        raise UserError(
            f"hub: data set {name!r} is unknown; there are {', '.join(HUB_SETS)}, or any owner/name"
        )
    commit = revision or known.revision
    if commit is not None and not _COMMIT.fullmatch(commit):
        raise UserError(
            f"hub: revision of {name!r} is {commit!r}, expected a commit (40 hexadecimal digits); "
            "branches and tags can move"
        )
    if copies is not None:
        return HubPlace(name, known, commit or "", _copy(copies, known.repository, commit))
    if commit is None:
        raise UserError(
            f"hub: {name!r} has no pinned revision; set revision to a commit of {known.repository}, "
            f"so that a rerun reads the same rows (in a recipe also hub.revisions.{name}, or hub.folder)"
        )
    return HubPlace(name, known, commit)


def _copy(copies: Path, repository: str, commit: str | None) -> Path:
    """The folder of a data set below `copies`."""
    plain = copies / repository
    if plain.is_dir():
        return plain
    snapshots = copies / f"datasets--{repository.replace('/', '--')}" / "snapshots"
    found = sorted(item for item in snapshots.iterdir() if item.is_dir()) if snapshots.is_dir() else []
    if commit is not None and any(item.name == commit for item in found):
        return snapshots / commit
    if len(found) == 1 and commit is None:
        return found[0]
    raise UserError(
        f"hub.folder: {copies} holds no copy of {repository}"
        + (f" at {commit}" if commit else "")
        + f"; expected {plain} or {snapshots / (commit or 'COMMIT')}"
        + (f"; there are {', '.join(item.name for item in found)}" if found else "")
    )


def hub_files(place: HubPlace, split: HubSplit) -> list[Path]:
    """The files of one split in a local copy, by relative name; a split that the set lacks is refused."""
    assert place.folder is not None
    folder, pattern = place.folder, split_pattern(place, split)
    if pattern is None:
        from .rows import data_files  # it knows of no hub

        inside = ((file, file.relative_to(folder).parts) for file in data_files(folder))
        found = [
            file for file, parts in inside if any(re.split(r"[-_.]", part)[0] == split for part in parts)
        ]
    else:
        found = sorted(file for file in folder.glob(pattern) if file.is_file())
    if not found:
        raise UserError(f"hub: {folder} holds no file {pattern or f'of the split {split!r}'}")
    return found


def split_pattern(place: HubPlace, split: HubSplit) -> str | None:
    """Which files a split is in, None for an unknown set. A split that the set lacks is refused."""
    known = place.known
    pattern = known.train if split == "train" else known.test
    if known in HUB_SETS.values() and pattern is None:
        use = "evaluated on, never trained on" if split == "train" else "trained on; it has no test split"
        raise UserError(f"hub: {place.name!r} may be {use}")
    return pattern


class HubConfig(Config):
    """Where data sets of the hub are read."""

    folder: str | None = None
    """A folder with copies of them, as `OWNER/NAME/FILES` or as the hub's own cache; None: the hub."""
    revisions: dict[str, str] = {}
    """Data set -> commit, for sets that have none pinned and where none is named."""

    def place(self, name: str, revision: str | None = None) -> HubPlace:
        """See `hub_place`."""
        folder = None if self.folder is None else Path(self.folder)
        return hub_place(name, revision or self.revisions.get(name), folder)

    def named(self, text: str) -> HubPlace:
        """Of `hub:NAME` or `hub:NAME@COMMIT`, as a problem set is called."""
        name, _, revision = text.removeprefix(PREFIX).partition("@")
        return self.place(name, revision or None)


THE_HUB = HubConfig()
"""Without local copies, at the pinned commits."""


def parse_hub_name(text: str) -> HubPlace:
    """`hub:NAME` or `hub:NAME@COMMIT` of a problem set on the hub."""
    return THE_HUB.named(text)


def hub_rows(place: HubPlace, split: HubSplit) -> Iterator["RowAt"]:
    """Stream the rows of one split; a split that the set does not have is refused."""
    known, pattern = place.known, split_pattern(place, split)
    rows = _streamed(place, pattern, split)
    return (
        (f"{known.repository}@{place.commit[:12]}, row {number}", dict(row))
        for number, row in enumerate(rows, start=1)
    )


def _streamed(place: HubPlace, pattern: str | None, split: HubSplit) -> Iterator[dict[str, object]]:
    """Rows as the library gives them; whatever it raises, at the start or on the way, is one line."""
    try:
        datasets = importlib.import_module("datasets")
    except ImportError:
        raise UserError(
            "hub: the package datasets is not installed; pip install 'echochamber[hub]', or give path"
        ) from None
    repository, commit = place.known.repository, place.commit
    try:
        if pattern is None:
            rows = datasets.load_dataset(repository, split=split, revision=commit, streaming=True)
        else:
            # Files by pattern, not the repository by name: proof-pile-2 has a loading script, which is
            # never run, and OpenMathInstruct-2 holds parts of itself beside the whole.
            files = {split: f"hf://datasets/{repository}@{commit}/{pattern}"}
            rows = datasets.load_dataset(_builder(pattern), data_files=files, split=split, streaming=True)
        yield from rows
    except Exception as error:  # noqa: BLE001  (HTTP clients, Arrow, file systems: no common base)
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}".rstrip(": ")
        what = f"{repository} at {commit}" + (f", files {pattern}" if pattern else "")
        raise UserError(
            f"hub: {what} cannot be read ({reason}); is there a network, and is the commit right?"
        ) from None


def _builder(pattern: str) -> str:
    """The library's reader for files of this kind."""
    return next(builder for suffix, builder in _BUILDERS.items() if pattern.endswith(suffix))
