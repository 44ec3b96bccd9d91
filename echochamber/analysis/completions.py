"""A stratified sample of graded completions for the page, and complete counts beside it."""

import hashlib
from collections.abc import Sequence

import polars as pl

from ..core.disagreement import BoxDisagreement
from .page_schema import CompletionData, CompletionRow, CountRow, ProblemData
from .runs import Run
from .stage_files import scan_table
from .study_folder import StoredStage, StoredStudy

MAX_COMPLETIONS = 8000
"""Completions that one page carries at most; at about 400 bytes each, 3 to 4 MB."""
RUN_COMPLETIONS = 64
"""Two problems at all checkpoints of a usual run. A page of over 125 runs has no completions of some."""
MAX_TEXT = 3000
"""Characters of one completion that are shown."""
SAMPLES_AT_ENDS, SAMPLES_BETWEEN, SAMPLES_PER_STEP = 6, 2, 4
EVALUATION, ROLLOUT = 0, 1
DECIDED = ("correct", "wrong")
"""Outcomes in which an answer was compared; the note of another outcome may be a program's own text."""
_PROBLEM = ("problem_set", "split", "problem_id", "question", "reference", "family", "difficulty")
_SHOWN = ("step", "sample", "format", "outcome", "answer", "detail", "num_tokens", "truncated")


def sample_completions(study: StoredStudy, runs: Sequence[Run]) -> CompletionData:
    """Plain data for the page's browser: a sample of completions, and counts of *all* sampled ones.

    The same problems are chosen in every run, by a hash of their id. Runs that are not in `carried` have
    counts alone.
    """
    carried = carried_runs(runs)
    quota = MAX_COMPLETIONS // max(len(carried), 1)
    problems: dict[tuple[object, ...], int] = {}
    rows: list[CompletionRow] = []
    counts: list[CountRow] = []
    counted: dict[str, list[tuple[object, ...]]] = {}  # by stage: arms of one base share its evaluation
    for index, run in enumerate(runs):
        try:
            scans = {
                node.id: scan
                for node in run.evaluations
                if (scan := scan_table(study, node, "records.parquet")) is not None
            }
            drawn = _evaluated(list(scans.values()), quota * 3 // 4) if index in carried else None
            rollouts = _rollouts(study, run.rl, quota // 4) if index in carried else None
            for name, scan in scans.items():
                counted[name] = counted[name] if name in counted else _counts(scan)
                counts += [CountRow._make((index, *row)) for row in counted[name]]
        except pl.exceptions.PolarsError as error:
            study.warn(f"{run.id}: completions cannot be read ({str(error).splitlines()[0]})")
            continue
        rows += _rows(drawn, problems, (index, EVALUATION))
        rows += _rows(rollouts, problems, (index, ROLLOUT))
    return {
        "carried": sorted(carried),
        "problems": [ProblemData(**dict(zip(_PROBLEM, key, strict=True))) for key in problems],  # type: ignore[typeddict-item]
        "row_columns": CompletionRow._fields,
        "rows": rows,
        "count_columns": CountRow._fields,
        "counts": counts,
    }


def carried_runs(runs: Sequence[Run]) -> set[int]:
    """Indices of the runs whose completions the page carries: all, or the first seeds of every group."""
    seen: dict[tuple[str, str, str], int] = {}
    turns = []
    for index, run in enumerate(runs):
        seen[run.group] = seen.get(run.group, -1) + 1
        turns.append((seen[run.group], index))
    return {index for _, index in sorted(turns)[: MAX_COMPLETIONS // RUN_COMPLETIONS]}


def _evaluated(scans: list[pl.LazyFrame], quota: int) -> pl.DataFrame | None:
    """All steps of the problems chosen; more samples at the first and last step than between."""
    if not scans:
        return None
    table = pl.concat([scan.select(*_PROBLEM, *_SHOWN, "text") for scan in scans])
    steps = table.select(pl.col("step").unique().sort()).collect()["step"].to_list()
    per_problem = 2 * (SAMPLES_AT_ENDS + 1) + max(len(steps) - 2, 0) * (SAMPLES_BETWEEN + 1)
    ids = table.select("problem_set", "problem_id").unique().collect()
    chosen = _spread(ids, max(quota // per_problem, 2))
    limit = (
        pl.when(pl.col("step").is_in([steps[0], steps[-1]])).then(SAMPLES_AT_ENDS).otherwise(SAMPLES_BETWEEN)
    )
    kept = table.join(chosen.lazy(), on=["problem_set", "problem_id"], how="semi").filter(
        pl.col("sample") < limit
    )
    return kept.sort("problem_set", "problem_id", "step", "sample").collect()


def _spread(ids: pl.DataFrame, count: int) -> pl.DataFrame:
    """`count` problems, shared out over the problem sets, chosen by a hash so that runs agree."""
    order = [hashlib.blake2b(name.encode(), digest_size=8).hexdigest() for name in ids["problem_id"]]
    ranked = ids.with_columns(order=pl.Series(order, dtype=pl.String)).sort("order")
    share = max(count // max(ranked["problem_set"].n_unique(), 1), 1)
    return ranked.filter(pl.int_range(pl.len()).over("problem_set") < share).drop("order")


def _rollouts(study: StoredStudy, rl: StoredStage | None, quota: int) -> pl.DataFrame | None:
    """A few training completions of as many steps as the quota allows, evenly spaced."""
    scan = scan_table(study, rl, "rollouts.parquet") if rl else None
    if scan is None:
        return None
    steps = scan.select(pl.col("step").unique().sort()).collect()["step"].to_list()
    stride = -(-len(steps) // max(quota, 1))
    each = max(min(SAMPLES_PER_STEP, quota // max(len(steps), 1)), 1)
    kept = scan.select(*_PROBLEM, *_SHOWN, "text").filter(pl.col("step").is_in(steps[::stride]))
    return kept.filter(pl.int_range(pl.len()).over("step") < each).collect()


def _rows(
    table: pl.DataFrame | None, problems: dict[tuple[object, ...], int], head: tuple[int, int]
) -> list[CompletionRow]:
    """Rows for the page; problems not seen before are added to `problems`."""
    rows = []
    for row in table.iter_rows(named=True) if table is not None else ():
        problem = problems.setdefault(tuple(row[name] for name in _PROBLEM), len(problems))
        text = row["text"] or ""
        shown = (
            text
            if len(text) <= MAX_TEXT
            else text[:MAX_TEXT] + f"\n[... {len(text) - MAX_TEXT} more characters]"
        )
        apart = BoxDisagreement.read(row["detail"], row["answer"]) if row["outcome"] in DECIDED else None
        noted = {"detail": None, "boxed": apart.boxed} if apart else {"detail": row["detail"], "boxed": None}
        shown_row = row | noted | {"text": shown}
        rows.append(CompletionRow(*head, problem, *(shown_row[name] for name in CompletionRow._fields[3:])))
    return rows


def _counts(scan: pl.LazyFrame) -> list[tuple[object, ...]]:
    """How many sampled completions there are of each kind, text never loaded."""
    keys = ["problem_set", "split", "step", "format", "outcome"]
    return scan.filter(pl.col("sample") >= 0).group_by(keys).len().sort(keys).collect().rows()
