"""A study of the largest size asked for, and how long and how much memory its page takes.

    python -m tests.analysis.scale FOLDER [RUNS]

writes one run of 1,319 problems x 64 samples x 15 checkpoints, links it RUNS times (default 20: 25 million
completions), builds the page and prints seconds, peak memory and size.
"""

import json
import resource
import shutil
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl

from echochamber.analysis.report import build_report
from echochamber.core.records import RECORD_SCHEMA
from echochamber.stats.counts import count_completions
from echochamber.stats.summary import summarise_counts

from .synthetic import CHECKPOINTS, FORMATS, accuracies_at, make_study, shares_at, text_of

PROBLEMS, SAMPLES = 1319, 64
STEPS = (0, 1, 2, 3, 4, 6, 8, 11, 16, 20, 24, 28, 32, 40, 48)


def evaluation_table(step: int, seed: int) -> pl.DataFrame:
    """All completions of one checkpoint, columns drawn at once."""
    stream, rows = np.random.default_rng([seed, step]), PROBLEMS * SAMPLES
    problem = np.repeat(np.arange(PROBLEMS), SAMPLES)
    form = stream.choice(3, p=shares_at(step), size=rows)
    ease = np.repeat(stream.normal(0, 0.2, PROBLEMS), SAMPLES)
    right = stream.random(rows) < accuracies_at(step)[form] + ease
    answer = np.where(right, 42, 42 + stream.integers(1, 9, rows))
    texts = {(f, a): text_of(FORMATS[f], "", a % 10, 7, a) for f in range(3) for a in range(42, 51)}
    salts = stream.integers(2**40, size=rows)  # no two texts alike, so that compression does not flatter
    columns = {
        "schema_version": pl.Series(np.ones(rows)),
        "problem_set": "easy",
        "split": "test",
        "family": "boxes",
        "difficulty": 1,
        "problem_id": [f"test-{p}" for p in problem],
        "question": [f"A box holds {p} pens. How many?" for p in problem],
        "reference": "42",
        "process": np.where(right, "right_steps", "wrong_steps"),
        "first_error": np.where(right, "", "arithmetic"),
        "legacy_format": [("tinygsm-code", "llm-code", "text")[f] for f in form],
        "legacy_correct": right,
        "style_docstring": ["no" if f == 0 else None for f in form],
        "arm": "grpo",
        "seed": seed,
        "step": step,
        "sample": np.tile(np.arange(SAMPLES), PROBLEMS),
        "temperature": 1.0,
        "text": [
            f"{texts[f, a]} {salt:x}"
            for f, a, salt in zip(form.tolist(), answer.tolist(), salts.tolist(), strict=True)
        ],
        "format": [FORMATS[f] for f in form],
        "answer": [str(a) for a in answer],
        "outcome": np.where(right, "correct", "wrong"),
        "correct": right,
        "num_tokens": 40 + form * 9,
        "logprob": -stream.random(rows),
        "truncated": False,
    }
    frame = pl.DataFrame({name: columns.get(name) for name in [*RECORD_SCHEMA, "style_docstring"]})
    return frame.with_columns(pl.col(name).cast(kind) for name, kind in RECORD_SCHEMA.items())


def fill(folder: Path, steps: tuple[int, ...]) -> None:
    """Replace one evaluation by the large one."""
    frames = [evaluation_table(step, 0) for step in steps]
    summary, tables = [], []
    for step, frame in zip(steps, frames, strict=True):
        lists = [frame[name].to_list() for name in ("problem_id", "format", "correct", "answer")]
        result = summarise_counts(count_completions(*lists, {}, list(FORMATS)), list(FORMATS))
        summary.append(
            {"problem_set": "easy", "split": "test", "step": step, "temperature": 1.0} | result.row
        )
        tables.append(
            pl.DataFrame(result.problems).with_columns(step=pl.lit(step), problem_set=pl.lit("easy"))
        )
    pl.concat(frames).write_parquet(folder / "records.parquet")
    pl.concat(tables).write_parquet(folder / "problems.parquet")
    (folder / "summary.json").write_text(json.dumps(summary))


def make_large(root: Path, runs: int) -> Path:
    """A study whose runs share one large evaluation by hard links."""
    study = make_study(root, seeds=range(runs), problems=4, samples=2, checkpoints=CHECKPOINTS)
    nodes = [
        node for node in json.loads((study / "study.json").read_text())["nodes"] if node["kind"] == "evaluate"
    ]
    first: dict[bool, Path] = {}
    for node in nodes:
        folder, is_base = study / node["folder"], node["id"].startswith("evaluate/pretrain")
        if is_base not in first:
            first[is_base] = folder
            fill(folder, STEPS[:1] if is_base else STEPS[1:])
        else:
            for name in ("records.parquet", "problems.parquet", "summary.json"):
                (folder / name).unlink()
                (folder / name).hardlink_to(first[is_base] / name)
    return study


if __name__ == "__main__":
    target, number = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 20
    if not (target / "synthetic").is_dir():
        shutil.rmtree(target, ignore_errors=True)
        make_large(target, number)
    else:
        begin = time.perf_counter()
        page = build_report(target / "synthetic")
        used = resource.getrusage(resource.RUSAGE_SELF)
        peak = used.ru_maxrss / 2**20
        print(
            f"{PROBLEMS * SAMPLES * len(STEPS) * number:,} completions: {time.perf_counter() - begin:.0f} s, "
            f"{used.ru_utime + used.ru_stime:.0f} s of processor time, "
            f"{peak:.2f} GB, {page.stat().st_size / 1e6:.1f} MB"
        )
