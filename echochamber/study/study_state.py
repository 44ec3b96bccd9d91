"""How far a study has come, from its folder alone: nothing is written, and no module of the user's is run."""

import json
import math
import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean

from ..analysis.study_folder import StoredStage, StoredStudy, load_study

STATES = ("done", "running", "failed", "pending")


@dataclass(frozen=True)
class RunningStage:
    """A stage that `study.json` says is running."""

    id: str
    held: bool | None
    """Whether a process of this machine is at work on it; None where that cannot be told."""
    label: str
    """What its progress bar counts; empty before the first report."""
    done: float | None
    total: float | None
    rate: float | None
    """Units of work per second."""
    note: str
    seconds_left: float | None
    """Of what its bar counts; a stage may have several bars, one after the other."""


@dataclass(frozen=True)
class FailedStage:
    """A stage that failed."""

    id: str
    error: str


@dataclass(frozen=True)
class StudyState:
    """A study as it stands."""

    name: str
    folder: str
    state: str
    """`done`, `failed`, `running`, `cut` (a stage was running and no process is at work) or `pending`."""
    stages: dict[str, int]
    """Stages by state: done, running, failed, pending."""
    running: list[RunningStage]
    failed: list[FailedStage]
    seconds_done: float
    """Wall time of the finished stages."""
    seconds_left: float | None
    """Of what is left, at the number of stages that run at once; None where nothing like it has finished."""
    not_estimated: list[str]
    """Kinds of stages to do of which none has finished, so that `seconds_left` leaves them out."""
    command: str | None
    """What runs the rest of it."""
    report: str | None
    """The page, where there is one."""

    def to_json(self) -> dict[str, object]:
        """The same as plain data: what `status --json` prints."""
        return asdict(self)


def study_state(folder: Path) -> StudyState:
    """Read a study's folder; `UserError` where there is no readable `study.json`."""
    study = load_study(folder)
    states = {node.id: _state(node) for node in study.nodes}
    running = [_running(folder, node) for node in study.nodes if states[node.id] == "running"]
    failed = [FailedStage(node.id, node.error) for node in study.nodes if states[node.id] == "failed"]
    to_do = [node for node in study.nodes if states[node.id] in ("running", "pending")]
    done = [node for node in study.nodes if states[node.id] == "done"]
    left, unknown = _seconds_left(done, to_do, running)
    counts = {state: list(states.values()).count(state) for state in STATES}
    report = folder / "report.html"
    return StudyState(
        study.name,
        str(folder),
        _whole(counts, running),
        counts,
        running,
        failed,
        round(sum(node.seconds or 0.0 for node in done), 1),
        left,
        unknown,
        continue_command(study) if to_do or failed else None,
        str(report) if report.is_file() else None,
    )


def continue_command(study: StoredStudy) -> str | None:
    """The command that last ran the study, with its folder; None where none is recorded."""
    if not study.commands:
        return None
    usual = Path("runs") / study.name
    out = "" if study.folder == usual else f" --out {shlex.quote(str(study.folder))}"
    return study.commands[-1] + out


def _state(node: StoredStage) -> str:
    """A finished artifact is done, whatever `study.json` says: it is written only now and then."""
    if node.folder is not None and not node.partial:
        return "done"
    return node.status if node.status in ("running", "failed") else "pending"


def _whole(counts: Mapping[str, int], running: Sequence[RunningStage]) -> str:
    if any(stage.held is not False for stage in running):
        return "running"
    if counts["failed"]:
        return "failed"
    if running:
        return "cut"
    return "pending" if counts["pending"] else "done"


def _running(folder: Path, node: StoredStage) -> RunningStage:
    partial = folder / "artifacts" / ".partial"
    said = _progress(partial / f"{node.artifact}.progress")
    done, total, rate = (_number(said.get(key)) for key in ("done", "total", "rate"))
    left = (total - done) / rate if done is not None and total is not None and rate else None
    label, note = (" ".join(str(said.get(key, "")).split()) for key in ("label", "note"))
    held = is_locked(partial / f"{node.artifact}.lock")
    return RunningStage(node.id, held, label, done, total, rate, note, left)


def _progress(path: Path) -> dict[str, object]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _number(value: object) -> float | None:
    known = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if known and isinstance(value, int | float) else None


def _seconds_left(
    done: Sequence[StoredStage], to_do: Sequence[StoredStage], running: Sequence[RunningStage]
) -> tuple[float | None, list[str]]:
    """(seconds that the rest takes, kinds that are left out), by the mean time of finished stages alike."""
    at_work = {stage.id: stage for stage in running if stage.held is not False}
    costs: list[float] = []
    unknown: dict[str, None] = {}
    for node in to_do:
        usual = _usual_seconds(node, done)
        own = at_work[node.id].seconds_left if node.id in at_work else None
        if usual is None and own is None:
            unknown[node.kind] = None
        else:
            costs.append(own if own is not None else usual or 0.0)
    if to_do and not costs:
        return None, list(unknown)
    return round(sum(costs) / max(len(at_work), 1), 1), list(unknown)


def _usual_seconds(node: StoredStage, done: Sequence[StoredStage]) -> float | None:
    """Mean time of finished stages of the same kind: of its size and of a base or an arm, else of any."""
    known = [other for other in done if other.kind == node.kind and other.seconds is not None]
    alike = [other for other in known if (other.size, not other.arm) == (node.size, not node.arm)]
    chosen = [other.seconds for other in alike or known if other.seconds is not None]
    return mean(chosen) if chosen else None


def is_locked(lock: Path) -> bool | None:
    """Whether a process of this machine holds a lock; None where that cannot be told. Nothing is written."""
    try:
        import fcntl
    except ImportError:  # Windows
        return None
    try:
        descriptor = os.open(lock, os.O_RDONLY)
    except OSError as error:
        return False if isinstance(error, FileNotFoundError) else None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return None
    finally:
        os.close(descriptor)
    return False
