"""What was trained on: the plan of every mixture, and contamination."""

from typing import Any

from ..number_text import count
from ..study_folder import Study, read_json


def mixture_plans(study: Study) -> list[dict[str, Any]]:
    """The plan of every mixture: one row of text per source, and each one's share of the tokens."""
    plans = []
    for node in study.of_kind("shards"):
        plan = read_json(study, node, "plan.json")
        found = plan.get("sources") if isinstance(plan, dict) else None
        sources = [s for s in found if isinstance(s, dict)] if isinstance(found, list) else []
        if sources:
            total = sum(_tokens(source) for source in sources)
            rows = [_source_row(source, _tokens(source) / total if total else None) for source in sources]
            plan = {
                "name": node.mixture or node.id,
                "rows": rows,
                "total": total,
                "contamination": _contamination(sources),
            }
            plans.append(plan)
    return plans


def _source_row(source: dict[str, Any], share: float | None) -> dict[str, Any]:
    asked = source.get("asked") or f"{count(source.get('documents_asked'))} documents"
    names = (
        "documents_available",
        "documents_obtained",
        "tokens_asked",
        "tokens_obtained",
        "solution_tokens_obtained",
        "passes",
    )
    return {
        "name": str(source.get("name") or ""),
        "asked": str(asked),
        "share": share,
        "cells": [count(source.get(name)) for name in names],
    }


def _tokens(source: dict[str, Any]) -> int:
    tokens = source.get("tokens_obtained")
    return tokens if isinstance(tokens, int) else 0


def _contamination(sources: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row per source and problem set that were compared: what of the set is in the source."""
    found = []
    for source in sources:
        overlaps = source.get("contamination")
        for row in overlaps if isinstance(overlaps, list) else []:
            if isinstance(row, dict):
                examples = row.get("examples")
                cells = [
                    count(row.get(name))
                    for name in ("problems", "problems_found", "documents", "too_short_to_check")
                ]
                example = str(examples[0]) if isinstance(examples, list) and examples else ""
                place = {
                    "source": str(source.get("name") or ""),
                    "problem_set": str(row.get("problem_set") or ""),
                }
                found.append(place | {"cells": cells, "example": example})
    return found
