"""Completions that are given in a file instead of sampled: the data of supervised fine-tuning."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..core.errors import UserError
from ..core.jsonl import read_jsonl
from ..core.types import Completion, Problem
from ..verify.grade import Grader
from .collect import Collection, Rollout
from .engines import NativeEngine


@dataclass(frozen=True)
class Given:
    """One question with a completion that somebody wrote."""

    problem: Problem
    text: str


def read_given(path: Path) -> list[Given]:
    """Rows `question`, `completion` and, for grading only, `reference`; each row is a problem of its own."""
    rows = []
    for number, row in read_jsonl(path, ("question", "completion")):
        for name in ("question", "completion"):
            if not isinstance(row[name], str) or not row[name].strip():
                raise UserError(f"{path}, line {number}: {name} is {row[name]!r:.60}, expected text")
        problem = Problem(
            f"line {number}",
            row["question"],
            str(row.get("reference", "")),
            problem_set=path.name,
            split="train",
        )
        rows.append(Given(problem, row["completion"]))
    if not rows:
        raise UserError(f"{path}: holds no rows, expected JSON Lines with question and completion")
    return rows


def collect_given(
    given: Sequence[Given], engine: NativeEngine, grader: Grader, max_new_tokens: int
) -> Collection:
    """Given completions as rollouts of reward 1; longer ones are cut. Their log-probabilities are unknown (NaN)."""
    prompts = engine.encode_prompts([row.problem.question for row in given])
    completions = engine.tokenizer.encode_batch([row.text for row in given])
    verdicts = grader.grade_batch([(row.problem, row.text) for row in given])
    rollouts = []
    for row, prompt, ids, verdict in zip(given, prompts, completions, verdicts, strict=True):
        whole = [*ids, engine.tokenizer.eos_id]
        kept = tuple(whole[:max_new_tokens])
        completion = Completion(row.text, kept, (float("nan"),) * len(kept), len(whole) > max_new_tokens)
        rollouts.append(Rollout(row.problem, 0, tuple(prompt), completion, verdict, 1.0))
    return Collection(rollouts, 1)
