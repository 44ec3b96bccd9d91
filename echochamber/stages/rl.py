"""Reinforcement learning on a verifiable reward: sample, grade, estimate, fit, log, save.

The only RL loop. What distinguishes the algorithms is a row in `algorithms.py`; how a batch is
fitted is `fit.py`. Ways in which this GRPO differs from the one published (Shao et al. 2024):

1. The reference policy stays the base; it is not renewed between rounds.
2. Groups of equal reward have zero advantage and are left out of the fit (same gradient, less work).
3. One update per batch by default, so the ratio to the sampler is 1 up to rounding.
"""

import time
from pathlib import Path

from ..core.artifacts import make_folder
from ..core.metrics import MetricsLog, StepLog
from ..core.progress import progress_bar
from ..core.random import generator
from ..core.resume import ResumePoint
from ..core.types import Problem
from ..formulas.schedules import warmup_cosine
from ..model.checkpoint import load_checkpoint, save_checkpoint
from ..model.optimizer import Optimizer
from ..model.runtime import Runtime
from ..model.state import load_state, save_state
from ..rollout.collect import collect
from ..rollout.engines import NativeEngine
from ..rollout.rewards import reward_row
from ..verify.grade import Grader
from .algorithms import algorithm_row
from .fit import estimate, fit
from .rl_config import RLConfig, checkpoint_steps, num_steps
from .rl_log import monitor, rollout_metrics, rollout_rows, write_rollouts

VERSION = 1


def rl(config: RLConfig, seed: int, base: Path, problems: list[Problem], folder: Path, runtime: Runtime) -> None:
    """Train the checkpoint `base` on `problems`.

    Writes `checkpoints/step_N`, `metrics.jsonl`, `timing.jsonl` and `rollouts.parquet` into `folder`;
    continues from its resume state where there is one.
    """
    policy, tokenizer = load_checkpoint(base, runtime.device)
    reference, _ = load_checkpoint(base, runtime.device)
    if runtime.compile:
        policy.compile_blocks()
    algorithm, reward = algorithm_row(config.algorithm), reward_row(config.reward)
    engine = NativeEngine(policy, tokenizer, config.sampling, runtime, config.prompt_suffix)
    optimizer = Optimizer(policy, config.optimizer)
    total, keep = num_steps(config, len(problems)), checkpoint_steps(config, len(problems))
    checkpoints, resume = make_folder(folder / "checkpoints"), ResumePoint(folder)
    state = load_state(resume.state_path, policy, optimizer)
    done = state["step"] if state else 0
    if not done:
        save_checkpoint(checkpoints / "step_0", policy, tokenizer)

    with (
        Grader(config.grader) as grader,
        MetricsLog(folder, resume_after=done) as log,
        StepLog(resume.folder / "rollouts.jsonl", resume_after=done) as kept,
        progress_bar(f"rl {config.algorithm} ({config.reward} reward)", total, done, "steps") as bar,
    ):
        for step in range(done + 1, total + 1):
            started = time.perf_counter()
            chosen = problems_of_step(problems, config.prompts_per_step, step, seed)
            collection = collect(engine, grader, reward, chosen, config.samples_per_prompt, seed, step)
            watched = monitor(policy, reference, collection.rollouts, config, runtime)
            advantages = estimate(algorithm, collection)
            fitting = time.perf_counter()
            factor = warmup_cosine(step - 1, total, config.warmup_steps, config.lr_floor)
            fitted = fit(policy, reference, optimizer, algorithm, collection, advantages, config, runtime, factor, (seed, step))
            ended = time.perf_counter()

            metrics = rollout_metrics(collection) | watched | fitted
            log.write(step, metrics)
            for row in rollout_rows(collection, config, seed, step):
                kept.write(step, row)
            if step in keep:
                save_checkpoint(checkpoints / f"step_{step}", policy, tokenizer)
            if resume.due():
                log.sync()
                kept.sync()
                save_state(resume.state_path, step, policy, optimizer)
                resume.saved()
            log.write_timing(step, {
                "sample_s": collection.sample_seconds, "grade_s": collection.grade_seconds,
                "fit_s": ended - fitting, "save_s": time.perf_counter() - ended, "step_s": time.perf_counter() - started,
            })  # fmt: skip
            bar.advance(note=f"reward {metrics['reward/mean']:.3f}  {_leader(metrics)}")
    write_rollouts(resume.folder / "rollouts.jsonl", folder / "rollouts.parquet")


def problems_of_step(problems: list[Problem], prompts_per_step: int, step: int, seed: int) -> list[Problem]:
    """The problems of `step` (from 1): a fresh order each epoch, a function of (seed, step) alone."""
    first, count = (step - 1) * prompts_per_step, len(problems)
    chosen: list[Problem] = []
    for position in range(first, first + prompts_per_step):
        epoch, place = divmod(position, count)
        if not chosen or place == 0:
            order = generator("rl order", seed, epoch).permutation(count)
        chosen.append(problems[int(order[place])])
    return chosen


def _leader(metrics: dict[str, float]) -> str:
    shares = {name.split("/")[1]: value for name, value in metrics.items() if name.endswith("/share")}
    best = max(shares, key=lambda name: shares[name])
    return f"{best} {shares[best]:.2f}"
