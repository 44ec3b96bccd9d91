"""`study.json`: what the study is and how far each stage has come; the report reads it."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ..core.artifacts import write_json
from ..core.formats import FORMAT_NAMES, registered_formats
from ..core.version import __version__
from ..papers.catalogue import claim_sets
from ..rl.algorithms import algorithm_row
from ..verify.twins import TwinConfig, twin_formats
from .recipe import Recipe
from .stage_graph import StageGraph, StageNode


@dataclass
class StageStatus:
    """State of one stage."""

    status: str = "pending"
    """pending, running, done or failed."""
    seconds: float | None = None
    """Wall time over all sittings; None until it has ended."""
    error: str | None = None
    bad_input: bool = False
    """It failed by what it was given, not by a fault of the program or the machine."""


class StudyStatus:
    """The status of every node, written to disk at each change."""

    def __init__(self, folder: Path, graph: StageGraph, command: str = "") -> None:
        self.path, self.graph = folder / "study.json", graph
        earlier = _read_object(self.path)
        recorded, commands = earlier.get("criteria"), earlier.get("commands")
        self.criteria: dict[str, object] = recorded if isinstance(recorded, dict) else {}
        self.commands = list(
            dict.fromkeys(
                [*(commands if isinstance(commands, list) else []), *([command] if command else [])]
            )
        )
        self.nodes = {name: StageStatus() for name in graph.nodes}
        for name, node in graph.nodes.items():
            if graph.store.has(node.spec):
                self.nodes[name] = StageStatus("done", read_seconds(graph.store.path(node.spec)))

    @property
    def exit_status(self) -> int:
        """For the command line: 0 where no stage failed, 2 where bad input stopped all that did, else 1."""
        failed = [node for node in self.nodes.values() if node.status == "failed"]
        return 0 if not failed else 2 if all(node.bad_input for node in failed) else 1

    def set(self, node_id: str, status: StageStatus) -> None:
        """Change one node and write the file; the first RL stage records the digests of all claim sets."""
        if self.graph.nodes[node_id].kind == "rl" and not self.criteria:
            untouched = not any(
                s.status == "done" and self.graph.nodes[name].kind == "rl" for name, s in self.nodes.items()
            )
            now = datetime.now(UTC).isoformat(timespec="seconds")
            self.criteria = {
                "sets": {name: claims.digest for name, claims in claim_sets().items()},
                "recorded": now,
                "before_first_rl": untouched,
            }
        self.nodes[node_id] = status
        self.write()

    def write(self) -> None:
        """Replace `study.json`."""
        write_json(self.path, self.to_json())

    def to_json(self) -> dict[str, object]:
        """The whole study as plain data."""
        recipe = self.graph.recipe
        return {
            "name": recipe.name,
            "question": recipe.question,
            "notes": list(recipe.notes),
            "seeds": list(recipe.seeds),
            "recipe": recipe.resolved(),
            "algorithms": _algorithms(recipe),
            "code_version": __version__,
            "criteria": self.criteria,
            "commands": self.commands,
            "own_formats": own_formats(recipe.behaviours),
            "nodes": [self._node(node) for node in self.graph.nodes.values()],
        }

    def _node(self, node: StageNode) -> dict[str, object]:
        status = self.nodes[node.id]
        return {
            "id": node.id,
            "kind": node.kind,
            "fingerprint": node.spec.fingerprint,
            "folder": f"artifacts/{node.spec.name}",
            "mixture": node.mixture,
            "size": node.size,
            "arm": node.arm,
            "seed": node.seed,
            "parents": list(node.parents),
            "evaluation": node.evaluation,
            "from_step": node.from_step,
            "status": status.status,
            "seconds": status.seconds,
            "error": status.error,
        }


def own_formats(twins: Mapping[str, TwinConfig]) -> list[dict[str, str]]:
    """Name and title of every format that is not shipped: those of user modules, then the recipe's twins.

    The report reads them, since it runs without the user's modules. The order is that of registration.
    """
    modules = [row for name, row in registered_formats().items() if name not in {*FORMAT_NAMES, *twins}]
    return [{"name": row.name, "title": row.title} for row in (*modules, *twin_formats(twins))]


def _algorithms(recipe: Recipe) -> dict[str, dict[str, object]]:
    """What analysis must know of each algorithm of the recipe, a user's own among them."""
    rows = {arm.algorithm: algorithm_row(arm.algorithm) for arm in recipe.rl.values()}
    return {
        name: {
            "policy_gradient": row.policy_gradient,
            "divides_by": row.divides_by,
            "whiten": row.whiten,
            "loss_terms": len(row.loss_terms),
        }
        for name, row in rows.items()
    }


def _read_object(path: Path) -> dict[str, object]:
    """What an earlier sitting wrote; {} in a new study."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


SITTINGS = "sittings.json"
Sitting = tuple[float, float | None]
"""(start, end) in seconds since the epoch; an end of None: it was cut or still goes on."""


@contextmanager
def sitting(partial: Path) -> Iterator[None]:
    """Time the work on a partial artifact; a cut sitting is closed by the next one."""
    start_sitting(partial, time.time())
    yield
    end_sittings(partial, time.time())


def start_sitting(partial: Path, now: float) -> None:
    """Note in a partial artifact that work on it starts, closing an earlier sitting that was cut.

    A killed sitting leaves no end behind; the newest file of the folder says when it last did something.
    """
    earlier = _read_sittings(partial)
    newest = max((path.stat().st_mtime for path in partial.rglob("*") if path.is_file()), default=now)
    closed = [[start, end if end is not None else max(start, newest)] for start, end in earlier]
    write_json(partial / SITTINGS, [*closed, [now, None]])


def end_sittings(partial: Path, now: float) -> None:
    """Close the last sitting; the file stays in the artifact as its wall time."""
    sittings = _read_sittings(partial)
    sittings[-1] = (sittings[-1][0], now)
    write_json(partial / SITTINGS, sittings)


def read_seconds(folder: Path) -> float | None:
    """Wall seconds of a finished artifact over all its sittings."""
    sittings = _read_sittings(folder)
    return round(sum(end - start for start, end in sittings if end is not None), 2) if sittings else None


def _read_sittings(folder: Path) -> list[Sitting]:
    path = folder / SITTINGS
    found = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    return [(start, end) for start, end in found]
