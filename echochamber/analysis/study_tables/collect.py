"""From a study's artifacts to the small tables; only finished stages, so no partial run enters a verdict."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import polars as pl

from ...core.study_tables import BASE, SCHEMAS, Tables, frame_of
from ...stats.pass_at_k import pass_at_k
from ..completion_counts import counts
from ..kl_weight import bandit_advantage, kl_weight
from ..questions.forecasts import forecast_table
from ..questions.format_costs import format_costs
from ..questions.format_style import style_shares
from ..runs import Run, find_runs, problem_sets, rl_config, rollout_size, written_formats
from ..stage_files import read_json, scan_table
from ..study_folder import JsonObject, StoredStage, StoredStudy, load_study
from ..summary import stage_seconds
from .findings import run_findings
from .greedy_shares import greedy_shares
from .plan import library_versions, machine_seconds, planned_arms

KS = ("1", "8", "64")
"""The k of pass@k and maj@k that are kept."""
HALF_KS = (1, 64)
BANDIT_SEEDS = 5


def collect(folder: Path, findings: bool = True) -> Tables:
    """Tables of the study in `folder`, as far as its stages are finished; no verdict needs the `findings`."""
    study = load_study(folder)
    study = replace(
        study, nodes=[node for node in study.nodes if node.folder is not None and not node.partial]
    )
    runs = [run for run in find_runs(study) if run.evaluations]
    rows: dict[str, list[JsonObject]] = {name: [] for name in SCHEMAS}
    for node in study.of_kind("evaluate"):
        rows["scores"] += _scores(study, node)
        rows["halves"] += _halves(study, node)
    headline = _headline_set(study, runs)
    for run in runs:
        chosen = _test(runs, headline)
        if run.rl is not None and run.dense and max(run.steps(chosen), default=0) > 0:
            rows["runs"].append(_run(study, run, chosen))
            rows["training"] += _training(run)
            rows["forecasts"] += _forecasts(study, run, headline)
            rows["findings"] += (
                (_identity(run) | row for row in run_findings(study, run, chosen)) if findings else ()
            )
        rows["styles"] += _styles(study, run, headline)
    frames = {name: frame_of(name, found) for name, found in rows.items()}
    frames |= {name: frames[name].unique(maintain_order=True) for name in ("scores", "halves", "styles")}
    return Tables(frames, _about(study, load_study(folder), runs, headline))


def _headline_set(study: StoredStudy, runs: list[Run]) -> str:
    settings = study.recipe.get("evaluate")
    sets = settings.get("sets") if isinstance(settings, dict) else None
    found = problem_sets(runs)
    return str(sets[0]) if sets else found[0][0] if found else ""


def _test(runs: list[Run], headline: str) -> tuple[str, str]:
    return next((pair for pair in problem_sets(runs) if pair[0] == headline), (headline, "test"))


def _place(node: StoredStage) -> JsonObject:
    return {"mixture": node.mixture, "size": node.size, "arm": node.arm or BASE, "seed": node.seed or 0} | {
        "from_step": node.from_step,
        "evaluation": node.evaluation,
    }


def _scores(study: StoredStudy, node: StoredStage) -> Iterator[JsonObject]:
    """accuracy, greedy, pass@k, maj@k, truncated, share/FORMAT, right/FORMAT and greedy_share/FORMAT.

    right/FORMAT is the share of completions in that format with a correct answer. Where traits are
    tracked: trait/NAME/rate, /accuracy_with and /accuracy_without.
    """
    data = read_json(study, node, "summary.json")
    yield from (_place(node) | row for row in greedy_shares(study, node, data))
    for row in data if isinstance(data, list) else []:
        where = _place(node) | {
            "problem_set": str(row.get("problem_set") or ""),
            "split": str(row.get("split") or ""),
            "temperature": float(row.get("temperature") or 0.0),
            "step": int(row["step"]),
        }
        values = {
            "accuracy": row.get("accuracy"),
            "greedy": row.get("greedy_accuracy"),
            "truncated": row.get("truncated"),
        }
        values |= {
            name.replace("k", k): (row.get(name) or {}).get(k) for name in ("pass@k", "maj@k") for k in KS
        }
        for name, cell in (row.get("formats") or {}).items():
            share = cell.get("share")
            values |= {
                f"share/{name}": share,
                f"right/{name}": None if share is None else share * (cell.get("accuracy") or 0.0),
            }
        for name, cell in (row.get("traits") or {}).items():
            values |= {f"trait/{name}/{quantity}": value for quantity, value in cell.items()}
        yield from (
            where | {"quantity": name, "value": float(value)}
            for name, value in values.items()
            if value is not None
        )


def _halves(study: StoredStudy, node: StoredStage) -> Iterator[JsonObject]:
    """pass@k over the even and over the odd samples of each problem, mean over problems."""
    scan = scan_table(study, node, "records.parquet")
    if scan is None:
        return
    keys = ["problem_set", "split", "step", "temperature", "half"]
    sampled = scan.filter((pl.col("sample") >= 0) & (pl.col("outcome") != "infrastructure"))
    counted = (
        sampled.with_columns(
            half=(pl.col("sample") % 2).cast(pl.Int64),
            temperature=pl.col("temperature").cast(pl.Float64).round(6),
        )
        .group_by(*keys, "problem_id")
        .agg(n=pl.len(), c=pl.col("correct").sum())
        .sort(*keys, "problem_id")
        .collect()
    )
    for key, group in counted.group_by(keys, maintain_order=True):
        for k in HALF_KS:
            # A completion that the grader could not decide leaves its problem one short: it is left out.
            enough = group.filter(pl.col("n") >= k)
            if 2 * len(enough) > len(group):
                value = float(pass_at_k(enough["n"].to_numpy(), enough["c"].to_numpy(), k).mean())
                yield _place(node) | dict(zip(keys, key, strict=True)) | {"k": k, "value": value}


def _run(study: StoredStudy, run: Run, chosen: tuple[str, str]) -> JsonObject:
    assert run.rl is not None
    config = rl_config(study, run.arm)
    prompts, samples = rollout_size(config)
    problems = config.get("problems") or {}
    return {
        "mixture": run.mixture,
        "size": run.size,
        "arm": run.arm,
        "seed": run.seed,
        "from_step": run.rl.from_step,
        "algorithm": str(config.get("algorithm") or ""),
        "reward": str(config.get("reward") or ""),
        "problem_set": str(problems.get("set") or ""),
        "temperature": float(config.get("temperature") or 1.0),
        "kl_weight": kl_weight(config)[0],
        "steps": max(run.steps(chosen)),
        "steps_per_epoch": float(problems.get("count") or 2048) / prompts,
        "samples": int(sum(row.get("num_completions") or prompts * samples for row in run.dense)),
        "prompts_per_step": prompts,
        "samples_per_prompt": samples,
    }


def _training(run: Run) -> Iterator[JsonObject]:
    for row in run.dense:
        values = {
            "reward": row.get("reward/mean"),
            "truncated": row.get("completion/truncated"),
            "kl": row.get("policy/kl"),
        }
        values |= {f"share/{name}": row.get(f"format/{name}/share") for name in written_formats([run])}
        for name, value in values.items():
            if value is not None:
                yield _identity(run) | {"step": row["step"], "quantity": name, "value": float(value)}


def _identity(run: Run) -> JsonObject:
    return {"mixture": run.mixture, "size": run.size, "arm": run.arm or BASE, "seed": run.seed}


def _records(study: StoredStudy, run: Run) -> pl.LazyFrame | None:
    scans = [
        scan for node in run.evaluations if (scan := scan_table(study, node, "records.parquet")) is not None
    ]
    return pl.concat(scans, how="diagonal") if scans else None


def _forecasts(study: StoredStudy, run: Run, headline: str) -> Iterator[JsonObject]:
    records, last = _records(study, run), max(run.steps(_test([run], headline)))
    if records is None:
        return
    config = rl_config(study, run.arm)
    prompts, samples = rollout_size(config)
    table = forecast_table(
        counts(records, headline, [0, last]),
        last,
        written_formats([run]),
        kl_weight(config)[0],
        prompts,
        samples,
        bandit_seeds=BANDIT_SEEDS,
        advantage=bandit_advantage(config),
    )
    for row in table.iter_rows(named=True):
        kept = {name: row[name] for name in ("winner", "hit", "share", "brier", "total_variation")}
        yield (_identity(run) | kept | {"forecast": row["forecast"]})


def _styles(study: StoredStudy, run: Run, headline: str) -> Iterator[JsonObject]:
    """Style shares and lengths per format, at the base and at the end."""
    records, steps = _records(study, run), run.steps(_test([run], headline))
    if records is None or not steps:
        return
    table = style_shares(records, headline).filter(pl.col("step").is_in([0, max(steps)]))
    for row in table.iter_rows(named=True):
        yield (
            _styled(run, row)
            | {key: row[key] for key in ("format", "feature", "completions", "share", "step")}
            | {"word": row["value"]}
        )
    # The length of a format decides how much a step learns from it; it belongs beside every collapse.
    for row in format_costs(records, headline).filter(pl.col("step") == 0).iter_rows(named=True):
        yield _styled(run, row) | {
            "format": row["format"],
            "feature": "mean tokens",
            "word": "",
            "completions": row["completions"],
            "share": row["tokens"],
            "step": 0,
        }


def _styled(run: Run, row: JsonObject) -> JsonObject:
    name = BASE if row["step"] == 0 else run.arm
    return _identity(run) | {"arm": name, "from_step": run.rl.from_step if run.rl else None}


def _about(finished: StoredStudy, study: StoredStudy, runs: list[Run], headline: str) -> JsonObject:
    sizes = study.recipe.get("sizes") or sorted({run.size for run in runs})
    return {
        "name": study.name,
        "question": study.question,
        "headline_set": headline,
        "size": sizes[0] if sizes else "",
        "sizes": list(sizes),
        "seeds": sorted({run.seed for run in runs}),
        "scope": study.recipe.get("scope"),
        "criteria": study.criteria,
        "code_versions": sorted({node.code_version for node in finished.nodes if node.code_version}),
        "stages_done": len(finished.nodes),
        "stages": len(study.nodes),
        "seconds": stage_seconds(finished),
        "recipe": study.recipe,
        "machine_seconds": machine_seconds(finished),
        "libraries": library_versions(finished),
        "commands": study.commands,
        "arms": planned_arms(study),
    }
