"""`study.json`: what the study is and how far each stage has come; the report reads it."""

import json
import math
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ..core.bug_report import EXIT_BUG
from ..core.errors import UserError
from ..core.files import write_json
from ..core.formats import FORMAT_NAMES, registered_formats
from ..core.stage_log import LOG_BYTES, STAGE_LOG, append_change, log_length
from ..core.storage import keep_reserve, storage_errors_named
from ..core.traits import registered_traits
from ..core.version import __version__
from ..rl.algorithms import algorithm_row
from ..verify.behaviours import BehaviourConfig, behaviour_formats, behaviour_traits
from .recipe import Recipe
from .sittings import read_seconds
from .stage_graph import StageGraph, StageNode

GIVEN_BASE_NOTE = (
    "All runs start from one given checkpoint. Seeds vary RL and sampling, not pretraining. So intervals "
    "over seeds say nothing about other checkpoints."
)
REWRITE_SECONDS = 5.0
"""`study.json` is rewritten no more often while stages run; the log has every change."""
REWRITE_SHARE = 0.02
"""Longest part of the time that goes into rewriting `study.json`; on a busy disk that is more seldom."""


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
    bug: bool = False
    """It met an exception that nobody had foreseen."""


class StudyStatus:
    """The status of every node, written to disk at each change."""

    def __init__(self, folder: Path, graph: StageGraph, command: str = "") -> None:
        self.path, self.graph = folder / "study.json", graph
        self.log, self.reserve = folder / STAGE_LOG, folder / "artifacts" / ".partial" / "reserve"
        self._rewrite_at = -math.inf
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
        """For the command line: 0 where no stage failed, 70 where one met a bug, 2 where all had bad input.

        1 where a process was lost.
        """
        failed = [node for node in self.nodes.values() if node.status == "failed"]
        if any(node.bug for node in failed):
            return EXIT_BUG
        return 0 if not failed else 2 if all(node.bad_input for node in failed) else 1

    def set(self, node_id: str, status: StageStatus) -> None:
        """Change one node and append it to the log; the first RL stage records the digests of all claim sets.

        On a full disk the room that was held back is given up for it.
        """
        new_criteria = self.graph.nodes[node_id].kind == "rl" and not self.criteria
        if new_criteria:
            self._record_criteria()
        self.nodes[node_id] = status
        try:
            append_change(self.log, node_id, self._node(self.graph.nodes[node_id]))
        except OSError:
            self.reserve.unlink(missing_ok=True)
            with storage_errors_named(self.log):
                append_change(self.log, node_id, self._node(self.graph.nodes[node_id]))
        if new_criteria or time.monotonic() > self._rewrite_at:
            self.write()

    def _record_criteria(self) -> None:
        from ..papers.catalogue import claim_sets  # with all that judges them

        untouched = not any(
            s.status == "done" and self.graph.nodes[name].kind == "rl" for name, s in self.nodes.items()
        )
        now = datetime.now(UTC).isoformat(timespec="seconds")
        self.criteria = {
            "sets": {name: claims.digest for name, claims in claim_sets().items()},
            "recorded": now,
            "before_first_rl": untouched,
        }

    def hold_reserve(self) -> None:
        """Hold some room back while stages run, for the state of the study on a full disk."""
        keep_reserve(self.reserve)

    def write(self) -> None:
        """Replace `study.json`, unless it says the same already."""
        started = time.monotonic()
        now, log_bytes = self.to_json(), log_length(self.log)
        if _read_object(self.path) != now | {LOG_BYTES: log_bytes}:
            write_json(self.path, now | {LOG_BYTES: log_bytes})
        took = time.monotonic() - started
        self._rewrite_at = time.monotonic() + max(REWRITE_SECONDS, took / REWRITE_SHARE)

    def close(self) -> None:
        """Give the held room back and write `study.json`."""
        with suppress(OSError):
            self.reserve.unlink(missing_ok=True)
        self.write()

    def stop(self, failure: StageStatus) -> None:
        """No stage runs any longer: those that did get this state. What cannot be written is left."""
        with suppress(UserError):
            for name in [name for name, state in self.nodes.items() if state.status == "running"]:
                self.set(name, failure)
            self.close()

    def to_json(self) -> dict[str, object]:
        """The whole study as plain data."""
        recipe = self.graph.recipe
        return {
            "name": recipe.name,
            "question": recipe.question,
            "notes": [*recipe.notes, *([GIVEN_BASE_NOTE] if recipe.base is not None else [])],
            "seeds": list(recipe.seeds),
            "recipe": recipe.resolved(),
            "algorithms": _algorithms(recipe),
            "code_version": __version__,
            "criteria": self.criteria,
            "commands": self.commands,
            "own_formats": own_formats(recipe.behaviours),
            **_traits(recipe.behaviours),
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


def own_formats(behaviours: Mapping[str, BehaviourConfig]) -> list[dict[str, str]]:
    """Name and title of every format that is not shipped: those of user modules, then `behaviours`.

    The report reads them, since it runs without the user's modules. The order is that of registration.
    """
    modules = [row for name, row in registered_formats().items() if name not in {*FORMAT_NAMES, *behaviours}]
    return [{"name": row.name, "title": row.title} for row in (*modules, *behaviour_formats(behaviours))]


def _traits(behaviours: Mapping[str, BehaviourConfig]) -> dict[str, list[dict[str, str]]]:
    """Name and title of every tracked trait under `traits`; no key without any."""
    rows = {row.name: row for row in (*registered_traits().values(), *behaviour_traits(behaviours))}
    listed = [{"name": row.name, "title": row.title} for row in rows.values()]
    return {"traits": listed} if listed else {}


def _algorithms(recipe: Recipe) -> dict[str, dict[str, object]]:
    """What analysis must know of each algorithm of the recipe, a user's own among them."""
    rows = {arm.algorithm: algorithm_row(arm.algorithm) for arm in recipe.rl.values()}
    return {
        name: {
            "policy_gradient": row.policy_gradient,
            "divides_by": row.divides_by,
            "whiten": row.whiten,
            "loss_terms": len(row.loss_terms),
            "critic": row.critic,
            "own_baseline": row.own_baseline,
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
