"""The columns of `records.parquet` and `rollouts.parquet`: one row per completion, graded."""

from collections.abc import Iterable, Mapping

import polars as pl

from .traits import COLUMN, traits_of
from .types import Problem, Verdict

SCHEMA_VERSION = 1
RECORD_SCHEMA: dict[str, type[pl.DataType]] = {
    "schema_version": pl.Int16,
    "problem_set": pl.String,
    "split": pl.String,
    "problem_id": pl.String,
    "family": pl.String,
    "difficulty": pl.Int16,
    "question": pl.String,
    "reference": pl.String,
    "arm": pl.String,
    "seed": pl.Int64,
    "step": pl.Int64,  # RL step of the checkpoint (0: the base) or of the rollout
    "sample": pl.Int32,  # 0 .. n-1 within a problem; greedy is -1
    "temperature": pl.Float32,
    "text": pl.String,
    "format": pl.String,
    "answer": pl.String,
    "outcome": pl.String,
    "correct": pl.Boolean,
    "detail": pl.String,
    "process": pl.String,
    "first_error": pl.String,
    "legacy_format": pl.String,
    "legacy_correct": pl.Boolean,
    "num_tokens": pl.Int32,
    "logprob": pl.Float64,  # sum over the completion's tokens, nats
    "truncated": pl.Boolean,
}
"""Column -> type. Style features follow as string columns `style_NAME`, null where not measured.

After them stand the Boolean columns `trait_NAME` of the traits that are tracked.
"""


def record(problem: Problem, verdict: Verdict, text: str, **columns: object) -> dict[str, object]:
    """One row from a problem, its graded completion and the run's own columns."""
    row = dict.fromkeys(RECORD_SCHEMA) | {
        "schema_version": SCHEMA_VERSION,
        "problem_set": problem.problem_set,
        "split": problem.split,
        "problem_id": problem.id,
        "family": problem.family,
        "difficulty": problem.difficulty,
        "question": problem.question,
        "reference": problem.reference,
        "text": text,
        "format": verdict.format,
        "answer": verdict.answer,
        "outcome": verdict.outcome,
        "correct": verdict.correct,
        "detail": verdict.detail,
        "process": verdict.process,
        "first_error": verdict.first_error,
    }
    styles = {f"style_{name}": value for name, value in verdict.style.items()}
    return row | styles | {f"{COLUMN}{name}": holds for name, holds in traits_of(text).items()} | columns


def records_frame(rows: Iterable[Mapping[str, object]]) -> pl.DataFrame:
    """Rows as a table with every column of the schema, then sorted style columns, then trait columns."""
    rows = list(rows)
    styles = sorted({name for row in rows for name in row if name.startswith("style_")})
    traits = sorted({name for row in rows for name in row if name.startswith(COLUMN)})
    schema = RECORD_SCHEMA | dict.fromkeys(styles, pl.String) | dict.fromkeys(traits, pl.Boolean)
    return pl.DataFrame(rows, schema=schema, orient="row")
