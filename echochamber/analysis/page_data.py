"""Everything the page's script draws, as plain JSON data."""

import json
from collections.abc import Mapping, Sequence
from typing import TypeVar

from .averages import average_rows
from .completions import sample_completions
from .format_display import FormatDisplay, format_displays
from .null_model import null_end, null_path, thin
from .page_schema import DenseData, PageData, PretrainingData, RunData
from .runs import Run, complete_runs, ends, problem_sets, written_formats
from .stage_files import read_log
from .study_folder import JsonObject, StoredStudy

DIAGNOSTICS = {
    "reward/mean": "Mean reward",
    "policy/kl": "KL to the base (nats per token)",
    "policy/entropy": "Entropy of the policy (nats per token)",
    "reward/frac_zero_std": "Groups whose rewards are all equal (share)",
    "sampler/logprob_diff": "Sampler and trainer log-probabilities (mean |Δ|, nats)",
    "policy/clip_frac": "Clipped ratios (share)",
    "completion/length_mean": "Completion length (tokens)",
    "completion/truncated": "Truncated completions (share)",
}
"""RL metrics drawn as small charts, with what they are and their unit."""


PART = "reward/part/"
"""Beginning of the metrics that log the parts of a composed reward, each before its weight."""


TRAIT = "trait/"
"""Beginning of the metrics that log how often a trait holds, and the accuracy with and without it."""
TRAIT_CHARTS = {
    "rate": "Rollouts with the trait {} (share)",
    "accuracy_with": "Accuracy with the trait {} (share)",
    "accuracy_without": "Accuracy without the trait {} (share)",
}
MANY_RUNS, DIGITS = 125, 6
"""Of more runs the page carries its numbers with so many digits: more than a figure or a readout shows."""


def study_formats(study: StoredStudy, runs: Sequence[Run]) -> dict[str, FormatDisplay]:
    """How every format of the study is shown, by name, in order of display."""
    return format_displays(study.own_formats, written_formats(runs))


def page_data(study: StoredStudy, runs: Sequence[Run], formats: Mapping[str, FormatDisplay]) -> PageData:
    """Formats that were written, runs with their curves and checkpoints, and the sample of completions.

    `arms` is for `arm_table.arm_table` to fill.
    """
    written = set(written_formats(runs))
    shown = [row for name, row in formats.items() if name in written]
    sets = problem_sets(list(runs))
    drawn = [_run(study, run, [row.name for row in shown], sets) for run in runs]
    return {
        "formats": [{"name": row.name, "title": row.title} for row in shown],
        "colors": {name: row.color for name, row in formats.items()},
        "sets": sets,
        "diagnostics": DIAGNOSTICS | trait_titles(study, runs) | reward_parts(runs),
        "runs": drawn if len(runs) <= MANY_RUNS else rounded(drawn),
        "joined": _joined(runs),
        "arms": [],
        "completions": sample_completions(study, runs),
    }


def null_ends(data: PageData, runs: Sequence[Run]) -> dict[str, dict[str, float]]:
    """Id of a run -> the null model's shares at its last evaluated step, on the first problem set."""
    if not data["sets"]:
        return {}
    return {
        run.id: null_end(drawn["null"], drawn["dense"]["step"], final["step"])
        for run, drawn in zip(runs, data["runs"], strict=True)
        if drawn["null"] and (final := ends(run, data["sets"][0])[1])
    }


def _joined(runs: Sequence[Run]) -> dict[str, list[JsonObject]]:
    """Label of a group of several seeds -> its checkpoints averaged, with intervals over seeds."""
    groups: dict[str, list[Run]] = {}
    for run in runs:
        groups.setdefault(_group_label(run), []).append(run)
    found: dict[str, list[JsonObject]] = {}
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


def _run(study: StoredStudy, run: Run, names: list[str], sets: Sequence[tuple[str, str]]) -> RunData:
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
        "complete": [all(ends(run, pair)) for pair in sets],
    }


def reward_parts(runs: Sequence[Run]) -> dict[str, str]:
    """Metric -> title of every part of a composed reward that a run has logged."""
    names = {
        name
        for run in runs
        for row in run.dense[:1] + run.dense[-1:]
        for name in row
        if name.startswith(PART)
    }
    return {
        name: f"Mean of the reward’s part {name.removeprefix(PART)}, before its weight"
        for name in sorted(names)
    }


def trait_titles(study: StoredStudy, runs: Sequence[Run]) -> dict[str, str]:
    """Metric -> title of the curves of every tracked trait that a run has logged."""
    logged = {key for run in runs for row in run.dense[:1] + run.dense[-1:] for key in row}
    return {
        metric: title.format(name)
        for name in study.traits
        for quantity, title in TRAIT_CHARTS.items()
        if (metric := f"{TRAIT}{name}/{quantity}") in logged
    }


def _dense(rows: Sequence[JsonObject], names: list[str]) -> DenseData:
    """Columns over training steps; a share that is not logged is null."""
    parts = {name for row in rows for name in row if name.startswith(PART)}
    traits = {
        name for row in rows for name in row if name.startswith(TRAIT) and name.split("/")[-1] in TRAIT_CHARTS
    }
    logged = [*DIAGNOSTICS, *sorted(traits), *sorted(parts)]
    return {
        "step": [row["step"] for row in rows],
        "share": {name: [row.get(f"format/{name}/share") for row in rows] for name in names},
        "accuracy": {name: [row.get(f"format/{name}/accuracy") for row in rows] for name in names},
        "metrics": {name: [row.get(name) for row in rows] for name in logged},
    }


def _pretraining(study: StoredStudy, run: Run) -> PretrainingData:
    own = run.pretrain is not None and run.pretrain.kind == "pretrain"
    rows = thin(read_log(study, run.pretrain, "metrics.jsonl")) if run.pretrain and own else []
    return {"tokens": [row.get("tokens") for row in rows], "loss": [row.get("loss") for row in rows]}


Plain = TypeVar("Plain")


def rounded(data: Plain) -> Plain:
    """The same data with `DIGITS` significant digits in every number that is no integer.

    What is nearly 1 stays under it: the page writes `>99.9%` there.

    >>> rounded({"share": [0.123456789, 0.99999999, 12]})
    {'share': [0.123457, 0.99999999, 12]}
    """

    def short(text: str) -> float:
        value = float(text)
        near = float(f"{value:.{DIGITS}g}")
        return value if near == 1 else near

    short_data: Plain = json.loads(json.dumps(data), parse_float=short)
    return short_data


def script_safe(data: object) -> str:
    """JSON that cannot end or comment out the script element it stands in.

    Every `<`, `>` and `&` becomes an escape inside JSON strings (they occur nowhere else in JSON), as
    do the two line separators that are newlines to old JavaScript. NaN is refused.
    """
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text
