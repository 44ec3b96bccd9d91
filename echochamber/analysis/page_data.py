"""Everything the page's script draws, as plain JSON data."""

import json
from collections.abc import Sequence
from typing import Any

from ..core.formats import FORMAT_NAMES
from .completions import sample_completions
from .headline import TITLES
from .numbers import Row
from .runs import Run, problem_sets
from .study_folder import Study, read_log

DIAGNOSTICS = {
    "reward/mean": "Mean reward",
    "policy/kl": "KL to the base (nats per token)",
    "policy/entropy": "Entropy of the policy (nats per token)",
    "reward/frac_zero_std": "Groups without a signal (share)",
    "sampler/logprob_diff": "Sampler against trainer (mean |Δ log p|)",
    "policy/clip_frac": "Clipped ratios (share)",
    "completion/length_mean": "Completion length (tokens)",
    "completion/truncated": "Truncated completions (share)",
}
"""RL metrics drawn as small charts, with what they are and their unit."""
MAX_POINTS = 600
"""Points per dense curve; longer logs are thinned evenly, first and last row kept."""


def page_data(study: Study, runs: Sequence[Run]) -> dict[str, Any]:
    """Formats, runs with their curves and checkpoints, and the sample of completions."""
    names = written_formats(runs)
    return {
        "formats": [{"name": name, "title": TITLES.get(name, "")} for name in names],
        "sets": [list(pair) for pair in problem_sets(list(runs))],
        "diagnostics": DIAGNOSTICS,
        "runs": [_run(study, run, names) for run in runs],
        "completions": sample_completions(study, runs),
    }


def written_formats(runs: Sequence[Run]) -> list[str]:
    """Formats that somebody wrote at some time: the shipped order first, then the user's own."""
    seen: dict[str, None] = {}
    for run in runs:
        for row in run.rows:
            seen |= {name: None for name, cell in row["formats"].items() if (cell or {}).get("share")}
        for row in run.dense:
            seen |= {key.split("/")[1]: None for key, value in row.items() if _is_share(key) and value}
    known = [name for name in FORMAT_NAMES if name in seen]
    return known + [name for name in seen if name not in known]


def _is_share(key: str) -> bool:
    return key.startswith("format/") and key.endswith("/share")


def _run(study: Study, run: Run, names: list[str]) -> dict[str, Any]:
    node = run.rl or run.pretrain
    assert node is not None
    return {
        "id": run.id,
        "label": " · ".join(part for part in (run.mixture, run.size, run.arm) if part),
        "seed": run.seed,
        "partial": node.partial,
        "status": node.status,
        "dense": _dense(thin(run.dense), names),
        "checkpoints": run.rows,
        "pretraining": _pretraining(study, run),
    }


def _dense(rows: Sequence[Row], names: list[str]) -> dict[str, Any]:
    """Columns over training steps; a share that is not logged is null."""
    return {
        "step": [row["step"] for row in rows],
        "share": {name: [row.get(f"format/{name}/share") for row in rows] for name in names},
        "accuracy": {name: [row.get(f"format/{name}/accuracy") for row in rows] for name in names},
        "metrics": {name: [row.get(name) for row in rows] for name in DIAGNOSTICS},
    }


def _pretraining(study: Study, run: Run) -> dict[str, list[Any]]:
    rows = thin(read_log(study, run.pretrain, "metrics.jsonl")) if run.pretrain else []
    return {"tokens": [row.get("tokens") for row in rows], "loss": [row.get("loss") for row in rows]}


def thin(rows: Sequence[Row], most: int = MAX_POINTS) -> list[Row]:
    """At most about `most` rows, evenly spaced, the first and the last among them."""
    stride = -(-len(rows) // most) if rows else 1
    kept = list(rows[::stride])
    return kept if not rows or kept[-1] is rows[-1] else [*kept, rows[-1]]


def script_safe(data: Any) -> str:
    """JSON that cannot end or comment out the script element it stands in.

    Every `<`, `>` and `&` becomes an escape inside JSON strings (they occur nowhere else in JSON), as
    do the two line separators that are newlines to old JavaScript. NaN is refused.
    """
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text
