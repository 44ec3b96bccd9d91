"""A whole study in a few seconds: every stage, on as little as there can be."""

from pathlib import Path

import polars as pl

from echochamber.core.checksums import UNCHECKED
from echochamber.study.recipe import load_recipe
from echochamber.study.run import StudyRun, run_recipe

OVERRIDES = [
    "tokenizer.documents=60",
    "mixtures.tg_omi2.budget_tokens=4K",
    "pretrain.batch_tokens=256",
    "pretrain.sequence_length=32",
    "pretrain.max_positions=160",
    "rl.grpo.reward=random",
    "rl.grpo.steps=2",
    "rl.grpo.problems.count=6",
    "rl.grpo.prompts_per_step=2",
    "rl.grpo.samples_per_prompt=2",
    "rl.grpo.max_new_tokens=8",
    "evaluate.count=2",
    "evaluate.samples.ends=1",
    "evaluate.samples.between=1",
    "evaluate.max_new_tokens=32",
    "probe.count=1",
    "probe.samples=1",
]


def run_tiny(folder: Path, *overrides: str, **how: object) -> StudyRun:
    """Run or continue the study in `folder`."""
    done = run_recipe(load_recipe("smoke", [*OVERRIDES, *overrides]), folder, **how)
    assert done is not None
    return done


def payload(folder: Path) -> dict[str, bytes]:
    """Path -> content of every payload file of a study."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted((folder / "artifacts").glob("[!.]*/**/*"))
        if path.is_file() and path.name not in UNCHECKED
    }


def records(folder: Path) -> pl.DataFrame:
    """All records of a study's evaluations."""
    files = sorted((folder / "artifacts").glob("evaluate-*/records.parquet"))
    return pl.concat([pl.read_parquet(file) for file in files], how="diagonal")
