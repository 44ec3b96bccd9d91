"""Evaluation: greedy and sampled completions of every checkpoint, graded, with intervals."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
from pydantic import Field

from ..core.artifacts import write_json
from ..core.config import Config
from ..core.formats import registered_formats
from ..core.progress import Bar, progress_bar
from ..core.records import record, records_frame
from ..core.resume import ResumePoint
from ..core.types import Problem
from ..model.checkpoint import load_checkpoint
from ..model.generate import SamplingConfig
from ..model.runtime import Runtime
from ..rollout.collect import stream_keys
from ..rollout.engines import NativeEngine
from ..stats.summary import summarise
from ..verify.grade import Grader, GraderConfig
from ..verify.legacy import LegacyGrader

VERSION = 1
GREEDY = -1
"""The `sample` of a greedy completion."""
EVALUATION_STREAM = 0
"""The step whose random streams evaluation uses; training steps count from 1."""


class EvaluateConfig(Config):
    """How checkpoints are scored."""

    samples: int = Field(default=16, gt=0)
    """Completions per problem at `temperature`, besides the greedy one."""
    temperature: float = Field(default=1.0, gt=0)
    top_p: float = Field(default=1.0, gt=0, le=1)
    top_k: int = Field(default=0, ge=0)
    stop: tuple[str, ...] = ()
    """Strings before which a completion's text ends."""
    max_new_tokens: int = Field(default=160, gt=0)
    max_rows: int = Field(default=1024, gt=0)
    prompt_suffix: str = "\n\n"
    grader: GraderConfig = GraderConfig()

    def sampling(self, temperature: float) -> SamplingConfig:
        """How completions are drawn at a temperature; 0 is greedy."""
        names = ("top_p", "top_k", "stop", "max_new_tokens", "max_rows")
        return SamplingConfig.parse({name: getattr(self, name) for name in names} | {"temperature": temperature}, "evaluate")


@dataclass(frozen=True)
class Target:
    """One checkpoint to score."""

    step: int
    folder: Path
    samples: int


@dataclass(frozen=True)
class Labels:
    """Columns that say which run the records are of."""

    arm: str = ""
    seed: int = 0


@dataclass(frozen=True)
class Graders:
    """Ours, and the paper's released rules beside it."""

    ours: Grader
    legacy: LegacyGrader


def evaluate(
    config: EvaluateConfig, targets: Sequence[Target], sets: dict[str, list[Problem]], folder: Path, runtime: Runtime, labels: Labels
) -> None:
    """Score each checkpoint on each problem set; goes on after a kill with the first part missing.

    Writes `records.parquet`, `problems.parquet` and `summary.json` into `folder`.
    """
    resume = ResumePoint(folder)
    parts = [(target, name, resume.folder / f"part_{target.step}_{index}.parquet") for target in targets for index, name in enumerate(sets)]
    total = sum(len(sets[name]) * (target.samples + 1) for target, name, _ in parts)
    with (
        Grader(config.grader) as ours,
        LegacyGrader(tier2=config.grader.tier2) as legacy,
        progress_bar("evaluate", total, unit="completions") as bar,
    ):
        graders = Graders(ours, legacy)
        for target, name, path in parts:
            if path.is_file():
                bar.advance(len(sets[name]) * (target.samples + 1))
                continue
            rows = score(config, target, sets[name], graders, runtime, labels, bar)
            temporary = path.with_suffix(".tmp")
            records_frame(rows).write_parquet(temporary)
            temporary.replace(path)
    summaries, tables = [], []
    for target, name, path in parts:
        row, columns = summarise_part(pl.read_parquet(path), config.temperature)
        split = sets[name][0].split if sets[name] else ""
        summaries.append({"problem_set": name, "split": split, "step": target.step, "temperature": config.temperature} | row)
        tables.append(pl.DataFrame({"problem_set": name, "step": target.step} | columns, strict=False))
    write_json(folder / "summary.json", summaries)
    pl.concat([pl.read_parquet(path) for _, _, path in parts], how="diagonal").write_parquet(folder / "records.parquet")
    pl.concat(tables, how="diagonal_relaxed").write_parquet(folder / "problems.parquet")


def score(
    config: EvaluateConfig, target: Target, problems: list[Problem], graders: Graders, runtime: Runtime, labels: Labels, bar: Bar
) -> list[dict[str, Any]]:
    """Records of one checkpoint on one set: a greedy completion and `target.samples` sampled ones per problem."""
    model, tokenizer = load_checkpoint(target.folder, runtime.device)
    rows: list[dict[str, Any]] = []
    for temperature, samples in ((0.0, [GREEDY]), (config.temperature, list(range(target.samples)))):
        sampling = config.sampling(temperature)
        engine = NativeEngine(model, tokenizer, sampling, runtime, config.prompt_suffix)
        at_once = max(1, config.max_rows // len(samples)) * 4
        for start in range(0, len(problems), at_once):
            chosen = problems[start : start + at_once]
            rows += _score_some(engine, graders, chosen, samples, labels, target.step, temperature)
            bar.advance(len(chosen) * len(samples), note=f"step {target.step}")
    return rows


def _score_some(
    engine: NativeEngine, graders: Graders, problems: list[Problem], samples: list[int], labels: Labels, step: int, temperature: float
) -> Iterator[dict[str, Any]]:
    # Streams do not depend on the step: checkpoints are compared under common random numbers.
    keys = stream_keys(problems, samples, labels.seed, EVALUATION_STREAM)
    prompts = engine.encode_prompts([problem.question for problem in problems])
    groups = list(engine.sample(prompts, keys))
    items = [(p, c) for p, group in zip(problems, groups, strict=True) for c in group]
    verdicts = graders.ours.grade_batch([(p, c.text) for p, c in items])
    legacy = graders.legacy.grade_batch([(p.reference, c.text) for p, c in items])
    for index, ((problem, completion), verdict, old) in enumerate(zip(items, verdicts, legacy, strict=True)):
        yield record(
            problem, verdict, completion.text, arm=labels.arm, seed=labels.seed, step=step,
            sample=samples[index % len(samples)], temperature=temperature, num_tokens=len(completion.token_ids),
            logprob=float(sum(completion.logprobs)), truncated=completion.truncated,
            legacy_format=old.label, legacy_correct=old.correct,
        )  # fmt: skip


def summarise_part(records: pl.DataFrame, temperature: float) -> tuple[dict[str, Any], dict[str, list[Any]]]:
    """Summary row and per-problem columns of one checkpoint on one set.

    Completions that the grader could not decide are counted apart and left out of every score.
    """
    known = records.filter(pl.col("outcome") != "infrastructure")
    greedy = known.filter(pl.col("sample") == GREEDY)
    sampled = known.filter(pl.col("sample") != GREEDY)
    summary = summarise(
        sampled["problem_id"].to_list(), sampled["format"].to_list(), sampled["correct"].to_list(), sampled["answer"].to_list(),
        dict(zip(greedy["problem_id"], greedy["correct"], strict=True)), list(registered_formats()),
    )  # fmt: skip
    outcomes = dict(sampled.group_by("outcome").len().sort("outcome").iter_rows())
    extra = {"outcomes": outcomes, "infrastructure": len(records) - len(known), "truncated": sampled["truncated"].mean()}
    return summary.row | extra, summary.problems
