"""The end of a study: `summary.json` and `report.html` from its artifacts."""

import json
from pathlib import Path
from typing import Any

from ..analysis.report import build_report, study_summary
from ..core.artifacts import write_json


def finish_study(folder: Path, rebuild: bool = True) -> dict[str, Any]:
    """Write summary and report unless both are there and nothing has changed; returns the summary."""
    summary_path = folder / "summary.json"
    if rebuild or not summary_path.is_file() or not (folder / "report.html").is_file():
        write_json(summary_path, study_summary(folder))
        build_report(folder)
    return json.loads(summary_path.read_text(encoding="utf-8"))
