"""The end of a study: `summary.json` and `report.html` from its artifacts."""

import hashlib
import json
from pathlib import Path

from ..analysis.report import build_report, study_summary
from ..analysis.study_folder import load_study
from ..core.files import write_json
from ..papers.page_ledger import page_ledger


def finish_study(folder: Path, rebuild: bool = False) -> dict[str, object]:
    """Write report and summary unless both are of the stages as they stand; returns the summary."""
    if rebuild or not is_finished(folder):
        # The summary comes last: it says what both were built from, so an interrupted report is built again.
        write_report(folder)
        write_json(folder / "summary.json", study_summary(folder) | {"built_from": _stages(folder)})
    return _summary(folder)


def write_report(folder: Path, out: Path | None = None) -> Path:
    """Write the page of a study, finished or not; returns its path (`report.html` by default)."""
    return build_report(folder, out, page_ledger)


def is_finished(folder: Path) -> bool:
    """Whether summary and report are there and of the stages as they stand."""
    return (folder / "report.html").is_file() and _summary(folder).get("built_from") == _stages(folder)


def _summary(folder: Path) -> dict[str, object]:
    try:
        found = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _stages(folder: Path) -> str:
    """Sixteen hex digits over the state and fingerprint of every stage."""
    nodes = load_study(folder).nodes
    text = json.dumps(sorted([node.id, node.fingerprint, node.status] for node in nodes))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
