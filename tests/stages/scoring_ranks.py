"""An evaluation and a probe for any number of ranks: `python -m tests.stages.scoring_ranks MODELS OUT`."""

import json
import sys
from pathlib import Path

from echochamber.core.types import Problem
from echochamber.model.runtime import RuntimeConfig, start_runtime
from echochamber.rollout import sample_and_grade as graded
from echochamber.rollout.demonstrations import Demonstration
from echochamber.rollout.sample_and_grade import Labels
from echochamber.stages.evaluate import EvaluateConfig, Target, evaluate
from echochamber.stages.probe import Checkpoint, ProbeConfig, probe

PROBLEMS = [
    Problem(f"p{i}", f"Mia has {i} boxes of 3 pens. How many pens?", str(3 * i), "all", "test")
    for i in range(7)
]
GIVEN = [Demonstration(Problem("line 1", "How many pens?", "3", "mine.jsonl"), "3 * 1 = 3")]
EVALUATE = EvaluateConfig(samples=4, max_new_tokens=6, chunk_completions=8)
PROBE = ProbeConfig(
    samples=2, temperatures=(0.0, 0.7), likelihood_samples=2, max_new_tokens=60, chunk_completions=4
)


def run(models: Path, out: Path) -> None:
    """Score two checkpoints and probe one; `drawn-RANK.json` says what a rank sampled in the evaluation."""
    runtime = start_runtime(RuntimeConfig(threads=1, compile="off", dtype="float32"))
    draw, drawn = graded.drawn, []

    def noted(engine, problems, samples, *rest):
        drawn.extend([problem.id, len(samples)] for problem in problems)
        return draw(engine, problems, samples, *rest)

    for name in ("evaluate", "probe"):
        (out / name).mkdir(parents=True, exist_ok=True)
    targets = [Target(step, models / f"step_{step}", 4) for step in (0, 3)]
    graded.drawn = noted
    evaluate(EVALUATE, targets, {"all": PROBLEMS}, out / "evaluate", runtime, Labels("base", 0))
    graded.drawn = draw
    (out / f"drawn-{runtime.ranks.rank}.json").write_text(json.dumps(drawn))
    checkpoints = Checkpoint(3, models / "step_3"), Checkpoint(0, models / "step_0")
    probe(PROBE, *checkpoints, GIVEN, {"all": PROBLEMS}, out / "probe", runtime, Labels("grpo", 0))


if __name__ == "__main__":
    run(Path(sys.argv[1]), Path(sys.argv[2]))
