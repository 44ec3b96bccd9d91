"""Reinforcement learning on a verifiable reward: sample, grade, estimate, fit, log, save.

This is the only RL loop. An algorithm is a row in `algorithms.py`; `sampling.py` samples and grades the
rollouts of a step, `targets.py` estimates their advantages, `update.py` fits the policy. For every row:

1. The reference policy is the base and is never renewed.
2. The ratio's denominator is the sampler's own log-probability of each token, or with
   `loss.old_logprobs: recomputed` the policy's before the step.
3. Completions that the grader could not decide are in no sum, no denominator and no group.
4. Where rewards are centred by group, groups of equal rewards have zero advantage. The fit skips them where
   nothing else gives a gradient.
"""

import time
from pathlib import Path

from ..core.errors import UserError
from ..core.resume import ResumePoint
from ..core.types import Problem
from ..model.fit_memory import sampling_that_fits, tokens_that_fit
from ..model.runtime import Runtime
from ..model.sampling import check_lengths
from ..rollout.batch import LEAST_WIDTH
from ..rollout.demonstrations import read_demonstrations
from ..rollout.engines import Engine, start_engine
from ..verify.grade import Grader
from .config import RLConfig, adapt_kl, checkpoint_steps, lr_schedule, num_steps
from .learner import Learner, start_learner
from .log import compare, rollout_metrics
from .run_output import RunOutput
from .sampling import step_sampler
from .stored_steps import RoundStore
from .targets import estimate
from .training_monitor import divergence_message
from .update import fit


def rl(
    config: RLConfig, seed: int, base: Path, problems: list[Problem], folder: Path, runtime: Runtime
) -> None:
    """Train the checkpoint `base` on `problems`.

    Writes `checkpoints/step_N`, `metrics.jsonl`, `timing.jsonl` and `rollouts.parquet` into `folder`;
    continues from its resume state where there is one.
    """
    drawn = config.random_seed(seed)
    learner, tokenizer = start_learner(config, base, runtime, drawn)
    tokenizer = tokenizer.prompting(config.prompt)
    engine = start_engine(
        learner.sampler or learner.policy, tokenizer, config.sampling, runtime, config.prompt_suffix
    )
    config = _fit_to_memory(config, engine, learner, problems, folder, runtime)
    resume = ResumePoint(folder, runtime.resume)
    done = learner.load(resume.state, runtime.ranks)
    demonstrations = read_demonstrations(Path(config.completions)) if config.completions else []
    count = len(demonstrations or problems)
    total, keep = num_steps(config, count), checkpoint_steps(config, count)
    output = RunOutput(config, seed, folder, resume, runtime.ranks, done, total)
    if not done:
        output.save_checkpoint(0, learner, tokenizer, runtime.checkpoint_dtype)

    with Grader(config.grader) as grader, output:
        store = RoundStore(resume.folder, learner.weights)
        sample_step = step_sampler(
            config, drawn, problems, demonstrations, engine, grader, runtime.ranks, store
        )
        for step in range(done + 1, total + 1):
            started = time.perf_counter()
            if not demonstrations:
                engine.sync(learner.weights())
            collection = sample_step(step)  # sampled and graded

            estimating = time.perf_counter()
            compared = compare(learner, collection.rollouts, config, runtime)
            if config.restart:
                learner.restart(config)
            targets = estimate(learner, collection, config, runtime)

            fitting = time.perf_counter()
            schedule = lr_schedule(config, step, total)
            try:
                fitted = fit(learner, collection, targets, config, runtime, schedule, (drawn, step))
            except FloatingPointError as error:
                raise UserError(divergence_message(error, collection, targets, output.checkpoints)) from None
            learner.kl_coef = adapt_kl(config, learner.kl_coef, compared["policy/kl"])

            saving = time.perf_counter()
            metrics = rollout_metrics(collection, targets) | compared | fitted
            output.log(step, collection, metrics)
            if step in keep:
                output.save_checkpoint(step, learner, tokenizer, runtime.checkpoint_dtype)
            output.save_if_due(step, learner)
            ended = time.perf_counter()
            timing = {
                "sample_s": collection.sample_seconds,
                "grade_s": collection.grade_seconds,
                "grade_wait_s": collection.grade_wait_seconds,
                "estimate_s": fitting - estimating,
                "fit_s": saving - fitting,
                "save_s": ended - saving,
                "step_s": ended - started,
            }
            output.end_step(step, timing, metrics)
    output.finish()


def _fit_to_memory(
    config: RLConfig,
    engine: Engine,
    learner: Learner,
    problems: list[Problem],
    folder: Path,
    runtime: Runtime,
) -> RLConfig:
    """The arm with sizes that fit into memory; they do not change what is computed."""
    policy = learner.policy
    model, prompts = policy.config, engine.encode([problem.question for problem in problems])
    if not config.completions:
        # Now, not when a late step samples the longest.
        check_lengths(prompts, engine.sampling, model.max_positions)
    engine.sampling = sampling_that_fits(engine.sampling, model, prompts, folder, runtime)
    asked, critic = config.microbatch_tokens, learner.critic_optimizer is not None
    tokens = tokens_that_fit(asked, LEAST_WIDTH, policy, folder, runtime, critic)
    return config.model_copy(update={"microbatch_tokens": tokens})
