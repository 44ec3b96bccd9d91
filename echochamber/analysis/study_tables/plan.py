"""What a study planned, how far it is, what it ran with and how long it took."""

from ..stage_files import read_json
from ..study_folder import JsonObject, StoredStage, StoredStudy

_LAST_SECOND = 1e11
"""Since the epoch; what a damaged file says beyond is no time."""


def planned_arms(study: StoredStudy) -> list[JsonObject]:
    """One row per (mixture, size, arm): seeds planned, seeds entirely finished, failed stages."""
    groups: dict[tuple[str, str, str], dict[int, list[StoredStage]]] = {}
    for node in study.nodes:
        if node.arm and node.seed is not None:
            groups.setdefault((node.mixture, node.size, node.arm), {}).setdefault(node.seed, []).append(node)
    return [
        {"mixture": mixture, "size": size, "arm": arm, "planned": sorted(seeds)}
        | {"done": sorted(s for s, nodes in seeds.items() if all(_finished(node) for node in nodes))}
        | {"failed": sorted(node.id for nodes in seeds.values() for node in nodes if node.status == "failed")}
        for (mixture, size, arm), seeds in groups.items()
    ]


def _finished(node: StoredStage) -> bool:
    return node.folder is not None and not node.partial


def machine_seconds(study: StoredStudy) -> float | None:
    """Wall time in which at least one finished stage was running; None without any."""
    spans = sorted(span for node in study.nodes if _finished(node) for span in _sittings(study, node))
    total, until = 0.0, float("-inf")
    for start, end in spans:
        total += max(0.0, end - max(start, until))
        until = max(until, end)
    return round(total, 1) if spans else None


def _sittings(study: StoredStudy, node: StoredStage) -> list[tuple[float, float]]:
    data = read_json(study, node, "sittings.json")
    spans: list[tuple[float, float]] = []
    for row in data if isinstance(data, list) else []:
        match row:
            case [int() | float() as start, int() | float() as end] if 0 <= start <= end < _LAST_SECOND:
                spans.append((float(start), float(end)))
    return spans


def library_versions(study: StoredStudy) -> dict[str, str]:
    """Library -> versions that wrote the finished stages, several joined by commas."""
    found: dict[str, set[str]] = {}
    for node in study.nodes:
        manifest = read_json(study, node, "manifest.json") if _finished(node) else None
        libraries = manifest.get("libraries") if isinstance(manifest, dict) else None
        for name, version in (libraries if isinstance(libraries, dict) else {}).items():
            found.setdefault(str(name), set()).add(str(version))
    return {name: ", ".join(sorted(versions)) for name, versions in sorted(found.items())}
