"""What is said of a study's finished stages before it runs: who made them, and whether they are verified."""

from collections import Counter

from ..core.artifacts import Store
from ..core.manifest import read_manifest
from ..core.progress import say
from ..core.version import __version__
from .stage_graph import StageNode
from .status import StageStatus, StudyStatus


def say_state(status: StudyStatus) -> None:
    """One line where stages are of several package versions, one where some have no checksums."""
    done = _finished(status)
    if versions := version_line(done, status.graph.store, running=len(done) < len(status.nodes)):
        say(versions)
    unverified = sum(status.graph.store.is_unverified(node.spec) for node in done)
    if unverified:
        say(f"unverified: {unverified} of {len(done)} finished stages were written before checksums")


def version_line(done: list[StageNode], store: Store, running: bool) -> str | None:
    """Which package versions made the finished stages (and make the rest); None where it is one."""
    made = Counter(str(read_manifest(store.path(node.spec)).get("code_version", "unknown")) for node in done)
    versions = set(made) | ({__version__} if running else set())
    if len(versions) < 2:
        return None
    counts = ", ".join(f"{number} by {version}" for version, number in sorted(made.items()))
    rest = f"; the rest will be by {__version__}" if running else ""
    return f"stages of several package versions: {counts}{rest}"


def verify_all(status: StudyStatus, patience: float) -> None:
    """Compare every finished artifact with its checksums; a damaged one is set aside, to be made again."""
    store, verified = status.graph.store, 0
    done = _finished(status)
    for node in done:
        if store.set_aside_if_damaged(node.spec, patience) or not store.has(node.spec):
            status.nodes[node.id] = StageStatus()
        else:
            verified += not store.is_unverified(node.spec)
    say(f"verified: {verified} of {len(done)} finished stages have the bytes of their checksums")


def _finished(status: StudyStatus) -> list[StageNode]:
    return [node for node in status.graph.nodes.values() if status.nodes[node.id].status == "done"]
