"""Everything the page's script draws, as plain JSON data."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core.formats import FORMAT_NAMES
from ..stats.forecast import bandit
from .completions import sample_completions
from .headline import TITLES
from .numbers import Row, at, average_rows
from .runs import Run, problem_sets, rl_config, rollout_size
from .study_folder import Study, read_log
from .summary import complete_runs, ends

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
NULL_SEEDS, NULL_STEPS, NULL_RATES = range(5), 2000, (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
MAX_POINTS = 600
"""Points per dense curve; longer logs are thinned evenly, first and last row kept."""


def page_data(study: Study, runs: Sequence[Run]) -> dict[str, Any]:
    """Formats, runs with their curves and checkpoints, and the sample of completions."""
    names = written_formats(runs)
    return {
        "formats": [{"name": name, "title": TITLES.get(name, "")} for name in names],
        "sets": [list(pair) for pair in problem_sets(list(runs))],
        "diagnostics": DIAGNOSTICS,
        "runs": [
            _run(study, run, names)
            | {"complete": [all(ends(run, pair)) for pair in problem_sets(list(runs))]}
            for run in runs
        ],
        "joined": _joined(runs),
        "completions": sample_completions(study, runs),
    }


def _joined(runs: Sequence[Run]) -> dict[str, list[Row]]:
    """Label of a group of several seeds -> its checkpoints averaged, with intervals over seeds."""
    groups: dict[str, list[Run]] = {}
    for run in runs:
        groups.setdefault(_group_label(run), []).append(run)
    found: dict[str, list[Row]] = {}
    for label, members in groups.items():
        for chosen in problem_sets(members) if len(members) > 1 else ():
            done = complete_runs(members, chosen)
            shared = set.intersection(*[set(run.steps(chosen)) for run in done])
            for step in sorted(shared):
                rows = [row for run in done if (row := run.row(chosen, step))]
                where = {"problem_set": chosen[0], "split": chosen[1], "step": step}
                found.setdefault(label, []).append(where | average_rows(rows))
    return found


def _group_label(run: Run) -> str:
    return " · ".join(part for part in (run.mixture, run.size, run.arm) if part)


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
        "label": _group_label(run),
        "seed": run.seed,
        "partial": node.partial,
        "status": node.status,
        "dense": _dense(thin(run.dense), names),
        "checkpoints": run.rows,
        "null": null_path(study, run, names),
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


def null_path(study: Study, run: Run, names: list[str]) -> dict[str, list[float]] | None:
    """Shares that a bandit on formats alone reaches at each logged step: the null model of a collapse.

    It knows the base's shares and accuracies on the first problem set and nothing else. Its learning
    rate means nothing to a language model, so the rate of `NULL_RATES` that fits the run's own shares
    best is taken: the null gets every advantage. None without a base evaluation, without RL, or
    past `NULL_STEPS` steps.
    """
    sets = problem_sets([run])
    base, dense = run.row(sets[0], 0) if sets else None, thin(run.dense)
    if base is None or not dense or dense[-1]["step"] > NULL_STEPS:
        return None
    shares = np.array([at(base, ("formats", name, "share")) or 0.0 for name in names])
    accuracies = np.array([at(base, ("formats", name, "accuracy")) or 0.0 for name in names])
    if shares.sum() <= 0:
        return None
    steps, size = [row["step"] for row in dense], rollout_size(rl_config(study, run.arm))
    seen = np.array([[row.get(f"format/{name}/share") or 0.0 for name in names] for row in dense])
    paths = [
        np.mean(
            [
                bandit(shares / shares.sum(), accuracies, steps[-1], *size, rate, seed)[steps]
                for seed in NULL_SEEDS
            ],
            axis=0,
        )
        for rate in NULL_RATES
    ]
    best = min(paths, key=lambda path: float(((path - seen) ** 2).sum()))
    return {name: [round(float(share), 4) for share in best[:, i]] for i, name in enumerate(names)}


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
