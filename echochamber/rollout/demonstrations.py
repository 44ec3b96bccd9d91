"""Demonstrations: completions read from a file instead of sampled, for supervised fine-tuning."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..core.errors import UserError
from ..core.jsonl import read_jsonl
from ..core.types import Completion, Problem
from ..verify.grade import Grader
from .collect import Collection, Rollout
from .engines import Engine


@dataclass(frozen=True)
class Demonstration:
    """One question with a written completion."""

    problem: Problem
    text: str


def read_demonstrations(path: Path) -> list[Demonstration]:
    """Read JSON Lines with `question`, `completion` and, for grading only, `reference`.

    Each row is a problem of its own. A row without text is a `UserError` that names the line.
    """
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
        rows.append(Demonstration(problem, row["completion"]))
    if not rows:
        raise UserError(f"{path}: holds no rows, expected JSON Lines with question and completion")
    return rows


def collect_demonstrations(
    demonstrations: Sequence[Demonstration], engine: Engine, grader: Grader, max_new_tokens: int
) -> Collection:
    """Demonstrations as rollouts of reward 1, cut at `max_new_tokens`; their log-probabilities are NaN."""
    prompts = engine.encode([row.problem.question for row in demonstrations])
    completions = engine.tokenizer.encode_batch([row.text for row in demonstrations])
    verdicts = grader.grade_batch([(row.problem, row.text) for row in demonstrations])
    rollouts = []
    for row, prompt, ids, verdict in zip(demonstrations, prompts, completions, verdicts, strict=True):
        whole = [*ids, engine.tokenizer.eos_id]
        kept = tuple(whole[:max_new_tokens])
        completion = Completion(row.text, kept, (float("nan"),) * len(kept), len(whole) > max_new_tokens)
        rollouts.append(Rollout(row.problem, 0, tuple(prompt), completion, verdict, 1.0))
    return Collection(rollouts, 1)
