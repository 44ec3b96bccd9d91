"""Reading a study folder as it is now: finished, still running, or damaged in places.

What can be read is returned; what cannot is named in `StoredStudy.warnings`, for the page to show. Only a
folder without a readable `study.json` is an error.
"""

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from ..core.errors import UserError
from ..core.stage_log import laid_over
from .stored_files import ManifestFile, StageEntry, StudyFile

JsonObject = dict[str, Any]
"""An object as `json` reads it: a summary row, a row of a metrics log, a recipe."""
KINDS = (
    *(
        "tokenizer",
        "problems",
        "tokens",
        "shards",
        "overlaps",
        "contamination",
        "surface",
        "base",
        "pretrain",
    ),
    *("rl", "evaluate", "forecast", "probe"),
)
"""Stage kinds in the order in which data flows."""


@dataclass(frozen=True)
class StoredStage:
    """One stage of the study's graph and where its output lies."""

    id: str
    kind: str
    fingerprint: str
    folder: Path | None
    """None while there is nothing on disk."""
    partial: bool
    """True when `folder` is still being written."""
    mixture: str
    size: str
    arm: str
    seed: int | None
    parents: tuple[str, ...]
    status: str
    seconds: float | None
    error: str
    manifest: ManifestFile
    """Of the finished artifact; empty before."""
    evaluation: str = ""
    """Name of a further evaluation (`also_evaluate` in the recipe); empty for the study's own."""
    from_step: int | None = None
    """Pretraining step that RL starts from; None: the last."""
    artifact: str = ""
    """Name of its artifact's folder, whether or not that is there."""

    @property
    def code_version(self) -> str:
        """Version of the code that made the artifact; empty where it is not known."""
        return self.manifest.code_version


@dataclass
class StoredStudy:
    """A study's own description, its stages, and what could not be read."""

    folder: Path
    name: str
    question: str
    notes: list[str]
    recipe: JsonObject
    code_version: str
    nodes: list[StoredStage]
    criteria: dict[str, object] = field(default_factory=dict)
    """Hash of the claims' criteria as it was when RL first started, with the time."""
    algorithms: dict[str, dict[str, object]] = field(default_factory=dict)
    """Name -> how the algorithm weighs rewards; empty in studies of earlier versions."""
    commands: list[str] = field(default_factory=list)
    """Commands that ran the study, without the output folder."""
    own_formats: dict[str, str] = field(default_factory=dict)
    """Name -> title of the formats that are not shipped, in order of registration."""
    traits: dict[str, str] = field(default_factory=dict)
    """Name -> title of the tracked traits."""
    warnings: list[str] = field(default_factory=list)
    scans: dict[tuple[str, str, tuple[str, ...]], pl.LazyFrame | None] = field(default_factory=dict)
    """Tables that were asked for and checked already, by stage, file and required columns."""
    score_rows: dict[str, list[JsonObject]] = field(default_factory=dict)
    """Rows of scores that were read already, by evaluate stage: arms of one base share its stage."""
    _by_id: dict[str, StoredStage] = field(init=False, repr=False)
    _children: dict[str, list[StoredStage]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Index the stages: a study may have thousands, and each is looked up several times."""
        self._by_id, self._children = {}, {}
        for node in self.nodes:
            self._by_id.setdefault(node.id, node)
            for parent in dict.fromkeys(node.parents):
                self._children.setdefault(parent, []).append(node)

    def node(self, node_id: str) -> StoredStage | None:
        """The stage with this id, if the study has it."""
        return self._by_id.get(node_id)

    def children(self, node_id: str) -> list[StoredStage]:
        """Stages that name this one as a parent, in the study's order."""
        return self._children.get(node_id, [])

    def of_kind(self, kind: str) -> list[StoredStage]:
        """Stages of one kind, in the study's order."""
        return [node for node in self.nodes if node.kind == kind]

    def warn(self, message: str) -> None:
        """Note once what is missing or damaged."""
        if message not in self.warnings:
            self.warnings.append(message)


def load_study(folder: Path) -> StoredStudy:
    """Read `study.json`; raises `UserError` when it is missing or is no study."""
    path = folder / "study.json"
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(
            f"{path}: cannot be read ({error.strerror or error}); expected the folder of a study"
        ) from None
    except ValueError as error:
        raise UserError(f"{path}: is not valid JSON ({error})") from None
    try:
        stored = StudyFile.read(laid_over(data, folder))
    except ValueError as error:
        raise UserError(f"{path}: expected an object with a list `nodes`; {error}") from None
    study = StoredStudy(
        folder=folder,
        name=stored.name or folder.name,
        question=stored.question,
        notes=stored.notes,
        recipe=stored.recipe,
        code_version=stored.code_version,
        criteria=stored.criteria,
        algorithms=stored.algorithms,
        commands=stored.commands,
        own_formats=stored.format_titles(),
        traits=stored.trait_titles(),
        nodes=[_stage(folder, entry) for entry in stored.nodes],
    )
    _note_unfinished(study)
    return study


def _stage(root: Path, entry: StageEntry) -> StoredStage:
    name = Path(entry.folder or f"{entry.kind}-{entry.fingerprint}").name
    finished, growing = root / "artifacts" / name, root / "artifacts" / ".partial" / name
    manifest = finished / "manifest.json"
    complete = manifest.is_file()
    return StoredStage(
        id=entry.id,
        kind=entry.kind,
        fingerprint=entry.fingerprint,
        folder=finished if complete else growing if growing.is_dir() else None,
        partial=not complete,
        mixture=entry.mixture,
        size=entry.size,
        arm=entry.arm,
        seed=entry.seed,
        parents=tuple(entry.parents),
        status=entry.status,
        seconds=entry.seconds,
        error=entry.error,
        manifest=_manifest(manifest),
        evaluation=entry.evaluation,
        from_step=entry.from_step,
        artifact=name,
    )


def _manifest(path: Path) -> ManifestFile:
    """What the manifest says; an empty one where there is none or it is torn."""
    try:
        return ManifestFile.read(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return ManifestFile()


MOST_PENDING = 3
"""Stages that are not begun and are named one by one; more are counted by kind."""


def _note_unfinished(study: StoredStudy) -> None:
    pending = [node for node in study.nodes if node.status == "pending" and node.folder is None]
    counted = {node.id for node in pending} if len(pending) > MOST_PENDING else set()
    for node in study.nodes:
        if node.id in counted:
            continue
        if node.status == "failed":
            study.warn(f"{node.id} failed: {node.error or 'no reason recorded'}")
        elif node.folder is None:
            study.warn(f"{node.id} is {node.status}: nothing to show yet")
        elif node.partial:
            study.warn(f"{node.id} is {node.status}: shown as far as it has come")
    if counted:
        kinds = Counter(node.kind for node in pending)
        by_kind = ", ".join(f"{number} {kind}" for kind, number in kinds.items())
        study.warn(f"{len(pending)} stages are pending, with nothing to show yet: {by_kind}")
    versions = sorted({node.code_version for node in study.nodes if node.code_version})
    if len(versions) > 1:
        study.warn(f"stages were made by different code versions: {', '.join(versions)}")
