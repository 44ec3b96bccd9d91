"""Reinforcement learning on a verifiable reward: sample, grade, estimate, fit, log, save.

The only RL loop. What distinguishes the algorithms is a row in `algorithms.py`; what a step samples
is `gather.py`, what it aims at `estimate.py`, how it is fitted `fit.py`. Common to all rows:

1. The reference policy is the base; it is not renewed between rounds.
2. The ratio's denominator is the sampler's own log-probability of each token.
3. Completions that the grader could not decide are in no sum and no denominator.
4. Groups of equal reward have zero advantage and are left out of the fit (same gradient, less work).
"""

import time
from pathlib import Path
from typing import Any

from ..core.artifacts import make_folder
from ..core.errors import UserError
from ..core.metrics import MetricsLog, StepLog
from ..core.progress import progress_bar, say
from ..core.resume import ResumePoint
from ..core.types import Problem
from ..model.checkpoint import save_checkpoint
from ..model.fit_memory import sampling_that_fits, tokens_that_fit
from ..model.runtime import Runtime
from ..model.sampling import check_lengths
from ..model.transformer import Transformer
from ..rollout.batch import LEAST_WIDTH
from ..rollout.demonstrations import read_demonstrations
from ..rollout.engines import Engine, start_engine
from ..verify.grade import Grader
from .config import RLConfig, adapt_kl, checkpoint_steps, lr_schedule, num_steps
from .learner import start_learner
from .log import compare, rollout_metrics, rollout_rows, write_rollouts
from .sampling import gatherer
from .targets import estimate
from .training_monitor import TrainingMonitor, divergence_message
from .update import fit

VERSION = 4


def rl(
    config: RLConfig, seed: int, base: Path, problems: list[Problem], folder: Path, runtime: Runtime
) -> None:
    """Train the checkpoint `base` on `problems`.

    Writes `checkpoints/step_N`, `metrics.jsonl`, `timing.jsonl` and `rollouts.parquet` into `folder`;
    continues from its resume state where there is one.
    """
    learner, tokenizer = start_learner(config, base, runtime)
    engine = start_engine(learner.policy, tokenizer, config.sampling, runtime, config.prompt_suffix)
    config = _that_fits(config, engine, learner.policy, problems, folder, runtime)
    checkpoints, resume, monitor = (
        make_folder(folder / "checkpoints"),
        ResumePoint(folder),
        TrainingMonitor(config),
    )
    done = learner.load(resume.state_path)
    demonstrations = read_demonstrations(Path(config.completions)) if config.completions else []
    count = len(demonstrations or problems)
    total, keep = num_steps(config, count), checkpoint_steps(config, count)
    main = runtime.ranks.is_main
    if not done and main:
        save_checkpoint(checkpoints / "step_0", learner.policy, tokenizer)

    with (
        Grader(config.grader) as grader,
        MetricsLog(folder if main else None, resume_after=done) as log,
        StepLog(resume.folder / "rollouts.jsonl" if main else None, resume_after=done) as kept,
        resume.finish_step_on_interrupt(),
        progress_bar(f"rl {config.algorithm} ({config.reward} reward)", total, done, "steps") as bar,
    ):
        gather = gatherer(config, seed, problems, demonstrations, engine, grader, runtime.ranks)
        for step in range(done + 1, total + 1):
            started = time.perf_counter()
            engine.sync(learner.policy.state_dict())
            collection = gather(step)
            estimating = time.perf_counter()
            compared = compare(learner, collection.rollouts, config, runtime)
            if config.restart:
                learner.restart(config)
            targets = estimate(learner, collection, config, runtime)
            fitting = time.perf_counter()
            try:
                fitted = fit(
                    learner,
                    collection,
                    targets,
                    config,
                    runtime,
                    lr_schedule(config, step, total),
                    (seed, step),
                )
            except FloatingPointError as error:
                raise UserError(divergence_message(error, collection, targets, checkpoints)) from None
            learner.kl_coef = adapt_kl(config, learner.kl_coef, compared["policy/kl"])
            ended = time.perf_counter()

            metrics = rollout_metrics(collection, targets) | compared | fitted
            log.write(step, metrics)
            for row in rollout_rows(collection, config, seed, step):
                kept.write(step, row)
            for warning in monitor.warnings(step, metrics):
                say(warning)
            if step in keep and main:
                save_checkpoint(checkpoints / f"step_{step}", learner.policy, tokenizer)
            if runtime.ranks.any(resume.due()):
                if main:
                    log.sync()
                    kept.sync()
                    learner.save(resume.state_path, step)
                resume.saved()
            log.write_timing(
                step,
                {
                    "sample_s": collection.sample_seconds,
                    "grade_s": collection.grade_seconds,
                    "grade_wait_s": collection.grade_wait_seconds,
                    "estimate_s": fitting - estimating,
                    "fit_s": ended - fitting,
                    "save_s": time.perf_counter() - ended,
                    "step_s": time.perf_counter() - started,
                },
            )
            bar.advance(note=_note(metrics))
    if main:
        write_rollouts(resume.folder / "rollouts.jsonl", folder / "rollouts.parquet")


def _that_fits(
    config: RLConfig,
    engine: Engine,
    policy: Transformer,
    problems: list[Problem],
    folder: Path,
    runtime: Runtime,
) -> RLConfig:
    """Sizes that change memory and not what is computed, made smaller where memory is short."""
    model, prompts = policy.config, engine.encode([problem.question for problem in problems])
    if not config.completions:
        # Now, not when a late step samples the longest.
        check_lengths(prompts, engine.sampling, model.max_positions)
    engine.sampling = sampling_that_fits(engine.sampling, model, prompts, folder, runtime)
    tokens = tokens_that_fit(config.microbatch_tokens, LEAST_WIDTH, model, folder, runtime)
    return config.model_copy(update={"microbatch_tokens": tokens})


def _note(metrics: dict[str, Any]) -> str:
    shares = {name.split("/")[1]: value for name, value in metrics.items() if name.endswith("/share")}
    best = max(shares, key=lambda name: shares[name])
    reward = "unknown" if metrics["reward/mean"] is None else f"{metrics['reward/mean']:.3f}"
    return f"reward {reward}  {best} {shares[best]:.2f}"
