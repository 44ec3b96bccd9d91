"""The update: splits change nothing, an unchanged policy has ratio 1, odd completions do no harm."""

import numpy as np
import pytest
import torch

from echochamber.core.types import Completion, Problem, Verdict
from echochamber.model.runtime import RuntimeConfig, start_runtime
from echochamber.model.sampling import SamplingConfig
from echochamber.rl.algorithms import algorithm_row, registered_algorithms
from echochamber.rl.config import RLConfig, adapt_kl, lr_schedule
from echochamber.rl.targets import estimate, first_of_equal, shaped_rewards
from echochamber.rl.update import accumulate_gradient, fit, token_losses
from echochamber.rl.update_stats import UpdateStats
from echochamber.rollout.batch import batches
from echochamber.rollout.collect import Collection, Rollout, stream_keys
from echochamber.rollout.engines import NativeEngine
from echochamber.rollout.score import all_logprobs
from tests.model.conftest import tiny_model, tokenizer  # noqa: F401

from .enumerated import gradient, learner_for, runtime, small_model

SAMPLED = [row.name for row in registered_algorithms() if not row.demonstrations]


def _config(algorithm, **settings):
    return RLConfig(algorithm=algorithm, **{"samples_per_prompt": 8, "max_new_tokens": 6} | settings)


def _rollouts(num_problems=8, group=8, seed=0, rewards=(0.0, 1.0)):
    """Random completions over {EOS, a, b} of 1 to 5 tokens, with random log-probabilities."""
    stream = np.random.default_rng(seed)
    made = []
    for number in range(num_problems):
        prompt = tuple(stream.integers(1, 3, size=2).tolist())
        for sample in range(group):
            length = int(stream.integers(1, 6))
            ids = (*stream.integers(1, 3, size=length - 1).tolist(), 0)
            logprobs = tuple((-stream.random(length)).tolist())
            completion = Completion("", ids, logprobs, False)
            made.append(
                Rollout(
                    Problem(str(number), "", "1"),
                    sample,
                    prompt,
                    completion,
                    Verdict("other", None, "wrong"),
                    float(stream.choice(rewards)),
                )
            )
    return made


def _gradients(config, rollouts, group, pieces=1):
    """The gradient of one update over these rollouts, accumulated in `pieces` forward passes or more."""
    learner = learner_for(config)
    targets = estimate(learner, Collection(rollouts, group), config, runtime())
    accumulate_gradient(
        learner,
        Collection(rollouts, group),
        targets,
        np.flatnonzero(targets.counted),
        config,
        runtime(),
        UpdateStats(),
    )
    models = [learner.policy] + ([learner.critic] if learner.critic else [])
    return torch.cat([p.grad.flatten() for m in models for p in m.parameters() if p.grad is not None])


def _sampled_logprobs(config, rollouts):
    """The same rollouts with the policy's own log-probabilities, so that ratios are sane."""
    learner = learner_for(config)
    logps = all_logprobs(learner.policy, rollouts, config.temperature, 10**6, runtime())
    return [
        Rollout(
            r.problem,
            r.sample,
            r.prompt_ids,
            Completion("", r.completion.token_ids, tuple(row.tolist()), False),
            r.verdict,
            r.reward,
        )
        for r, row in zip(rollouts, logps, strict=True)
    ]


@pytest.mark.parametrize("algorithm", SAMPLED)
@pytest.mark.parametrize("kl", [{}, {"coef": 0.1, "estimator": "k2", "place": "loss"}])
def test_one_pass_equals_many_small_ones(algorithm, kl, monkeypatch):
    """1 x 64 samples and 8 x 8 with accumulation."""
    monkeypatch.setattr("echochamber.rollout.batch.row_width", lambda rollouts: 64)
    rollouts = _sampled_logprobs(_config(algorithm), _rollouts())
    whole = _gradients(_config(algorithm, kl=kl, microbatch_tokens=10**6), rollouts, 8)
    split = _gradients(_config(algorithm, kl=kl, microbatch_tokens=64), rollouts, 8)
    torch.testing.assert_close(split, whole, atol=1e-6, rtol=1e-5)
    assert float(whole.norm()) > 1e-4


@pytest.mark.parametrize(
    ("algorithm", "denominator"), [("dapo", "tokens"), ("dr_grpo", "constant"), ("rloo", "sum")]
)
def test_sums_are_divided_by_the_count_over_the_whole_minibatch(algorithm, denominator):
    """The split test alone would not see a wrong divisor: it is wrong in both halves alike."""
    config = _config(algorithm, microbatch_tokens=64)
    rollouts = _sampled_logprobs(config, _rollouts())
    counts = {"tokens": sum(len(r.completion.token_ids) for r in rollouts), "constant": 64 * 6, "sum": 64}
    learner = learner_for(config)
    targets = estimate(learner, Collection(rollouts, 8), config, runtime())
    (batch,) = batches(rollouts, targets.columns, 10**6)
    losses, _ = token_losses(learner, batch, config, runtime(), UpdateStats())
    expected = gradient(learner.policy, (losses * batch.completion_mask).sum() / counts[denominator])
    torch.testing.assert_close(_gradients(config, rollouts, 8), expected, atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize(
    "algorithm", [name for name in SAMPLED if name != "best_of_n"]
)  # the *first* best is order's business
def test_the_order_of_samples_changes_nothing(algorithm):
    rollouts = _sampled_logprobs(_config(algorithm), _rollouts())
    order = np.concatenate(
        [8 * p + np.random.default_rng(p).permutation(8) for p in np.random.default_rng(9).permutation(8)]
    )
    config = _config(algorithm, microbatch_tokens=512)
    found, expected = (_gradients(config, rows, 8) for rows in ([rollouts[i] for i in order], rollouts))
    torch.testing.assert_close(found, expected, atol=2e-6, rtol=1e-4)


@pytest.mark.parametrize("temperature", [0.7, 1.0])
@pytest.mark.parametrize("algorithm", ["grpo", "gspo", "ppo"])
def test_without_an_update_every_ratio_is_one(tokenizer, temperature, algorithm):  # noqa: F811
    model, quiet = (
        tiny_model("llama"),
        start_runtime(RuntimeConfig(dtype="float32", compile="off", threads=1)),
    )
    engine = NativeEngine(
        model, tokenizer, SamplingConfig(temperature=temperature, max_new_tokens=12), quiet, "\n\n"
    )
    problems = [Problem(str(i), f"Mia has {i} boxes of 3 pens.", "1") for i in range(4)]
    prompts = engine.encode([p.question for p in problems])
    groups = list(engine.sample(prompts, stream_keys(problems, range(4), 0, 1)))
    rollouts = [
        Rollout(p, g, tuple(ids), c, Verdict("other", None, "wrong"), 0.0)
        for p, ids, group in zip(problems, prompts, groups, strict=True)
        for g, c in enumerate(group)
    ]
    now = all_logprobs(model, rollouts, temperature, 4096, quiet)
    ratio = algorithm_row(algorithm).ratio
    for rollout, logprobs in zip(rollouts, now, strict=True):
        old = torch.tensor(rollout.completion.logprobs)
        values = ratio(logprobs[None], old[None], torch.ones(1, len(old), dtype=torch.bool))
        assert float((values - 1).abs().max()) < 1e-4


@pytest.mark.parametrize("algorithm", SAMPLED)
@pytest.mark.parametrize("reward", [0.0, 1.0, 1 / 3])
def test_groups_of_equal_reward_and_odd_completions_make_no_nan(algorithm, reward):
    """Only EOS, only truncated ones, everybody paid alike."""
    rollouts = []
    for number, ids in enumerate([(0,)] * 4 + [(1, 2, 1, 2, 1, 2)] * 4):
        completion = Completion("", ids, (-0.5,) * len(ids), ids[-1] != 0)
        rollouts.append(
            Rollout(
                Problem(str(number // 4), "", "1"),
                number % 4,
                (1, 2),
                completion,
                Verdict("other", None, "wrong"),
                reward,
            )
        )
    config = _config(algorithm, samples_per_prompt=4)
    learner = learner_for(config)
    before = {name: value.clone() for name, value in learner.policy.state_dict().items()}
    targets = estimate(learner, Collection(rollouts, 4), config, runtime())
    fitted = fit(
        learner, Collection(rollouts, 4), targets, config, runtime(), lambda update, updates: 1.0, (0, 1)
    )
    assert all(np.isfinite(value) for value in fitted.values())
    assert all(torch.isfinite(value).all() for value in learner.policy.state_dict().values())
    if algorithm in ("grpo", "dr_grpo", "dapo", "gspo", "rloo", "reinforce"):
        assert all(torch.equal(value, before[name]) for name, value in learner.policy.state_dict().items()), (
            "no signal, no update"
        )


def test_a_sample_nobody_could_grade_is_in_no_sum():
    rollouts = _sampled_logprobs(_config("ppo"), _rollouts(2, 4))
    lost = [
        Rollout(r.problem, r.sample, r.prompt_ids, r.completion, r.verdict, None if i == 3 else r.reward)
        for i, r in enumerate(rollouts)
    ]
    for algorithm in ("ppo", "grpo", "expert_iteration"):
        learner = learner_for(_config(algorithm, samples_per_prompt=4))
        targets = estimate(learner, Collection(lost, 4), _config(algorithm, samples_per_prompt=4), runtime())
        assert not targets.counted[3]
        if algorithm != "ppo":
            assert float(targets.columns["advantages"][3].abs().sum()) == 0


def test_kl_in_the_reward_does_not_blow_up_groups_of_equal_reward():
    config = _config("grpo", kl={"coef": 0.01, "estimator": "k1", "place": "reward"})
    rollouts = _sampled_logprobs(config, _rollouts(rewards=(1.0,)))
    targets = estimate(learner_for(config), Collection(rollouts, 8), config, runtime())
    assert 0 < max(float(a.abs().max()) for a in targets.columns["advantages"]) < 0.5


def test_several_rounds_keep_only_groups_with_signal_and_no_more_than_asked():
    config = _config("dapo", prompts_per_step=2, sampling_rounds=3, samples_per_prompt=2)
    rewards = [1, 1, 0, 1, 1, 0, 0, 1, 0, 0]
    rollouts = _sampled_logprobs(config, _rollouts(5, 2))
    paid = [
        Rollout(r.problem, r.sample, r.prompt_ids, r.completion, r.verdict, float(v))
        for r, v in zip(rollouts, rewards, strict=True)
    ]
    targets = estimate(learner_for(config), Collection(paid, 2), config, runtime())
    assert targets.counted.tolist() == [False, False, True, True, True, True, False, False, False, False]


def test_a_group_of_right_answers_of_different_lengths_carries_no_signal():
    """The overlong penalty makes their rewards differ; dynamic sampling asks for right and wrong answers."""
    settings = {"prompts_per_step": 1, "sampling_rounds": 2, "samples_per_prompt": 2, "overlong_buffer": 5}
    config = _config("dapo", **settings)
    made = [Completion("", (1,) * n + (0,), (-0.1,) * (n + 1), False) for n in (4, 1, 4, 1)]
    rollouts = [
        Rollout(Problem(str(i // 2), "", "1"), i % 2, (1, 2), c, Verdict("other", None, "wrong"), reward)
        for i, (c, reward) in enumerate(zip(made, (1.0, 1.0, 0.0, 1.0), strict=True))
    ]
    assert len(set(shaped_rewards(rollouts[:2], config))) == 2
    targets = estimate(learner_for(config), Collection(rollouts, 2), config, runtime())
    assert targets.counted.tolist() == [False, False, True, True]


def test_repeated_completions_of_a_problem_are_learned_once():
    rollouts = _rollouts(1, 3)
    same = [
        Rollout(Problem(p, "", "1"), 0, (1, 2), rollouts[0].completion, rollouts[0].verdict, 1.0)
        for p in ("0", "0", "1")
    ]
    assert first_of_equal(same, np.array([True, True, True])).tolist() == [True, False, True]
    assert first_of_equal(same, np.array([False, True, True])).tolist() == [False, True, True]


def test_repeated_completions_are_all_learned_where_the_arm_says_so():
    made = _rollouts(1, 3)
    same = [
        Rollout(Problem(p, "", "1"), 0, (1, 2), made[0].completion, made[0].verdict, reward)
        for p, reward in (("0", 1.0), ("0", 1.0), ("1", 0.0), ("1", 1.0))
    ]
    counted = {}
    for keep in (False, True):
        config = _config("expert_iteration", samples_per_prompt=2, keep_duplicates=keep)
        counted[keep] = estimate(learner_for(config), Collection(same, 2), config, runtime()).counted.tolist()
    assert counted == {False: [True, False, False, True], True: [True, True, False, True]}
    with pytest.raises(ValueError, match="keep_duplicates: grpo fits every completion"):
        _config("grpo", keep_duplicates=True)


def test_overlong_completions_are_paid_less():
    config = _config("reinforce", samples_per_prompt=2, max_new_tokens=6, overlong_buffer=3)
    long = Completion("", (1, 2, 1, 2, 1, 0), (-0.1,) * 6, False)
    short = Completion("", (1, 0), (-0.1,) * 2, False)
    rollouts = [
        Rollout(Problem("0", "", "1"), i, (1, 2), c, Verdict("other", None, "correct"), 1.0)
        for i, c in enumerate((long, short))
    ]
    targets = estimate(learner_for(config), Collection(rollouts, 2), config, runtime())
    assert float(targets.columns["advantages"][0][0]) == pytest.approx(-0.5)
    assert float(targets.columns["advantages"][1][0]) == pytest.approx(0.5)


@pytest.mark.parametrize("trunk", ["own", "shared"])
def test_the_critic_learns_the_value_of_each_state(trunk, tmp_path, tokenizer):  # noqa: F811
    """Reward 1 for one prompt, 0 for another: values diverge, and only a shared trunk moves the policy."""
    from echochamber.model.checkpoint import save_checkpoint
    from echochamber.rl.learner import start_learner

    save_checkpoint(tmp_path / "base", tiny_model("llama"), tokenizer)
    config = RLConfig(
        algorithm="ppo",
        samples_per_prompt=1,
        max_new_tokens=4,
        optimizer={"lr": 1e-2 if trunk == "shared" else 0.0},
        critic={"trunk": trunk, "optimizer": {"lr": 1e-2}, "value_clip": None, "coef": 1.0, "lam": 1.0},
    )
    quiet = start_runtime(RuntimeConfig(dtype="float32", compile="off", threads=1))
    learner, _ = start_learner(config, tmp_path / "base", quiet)
    rollouts = [
        Rollout(
            Problem(str(i), "", "1"),
            0,
            (40 + i, 50),
            Completion("", (60, 61, 0), (-5.0,) * 3, False),
            Verdict("other", None, "wrong"),
            float(i),
        )
        for i in range(2)
    ]
    collection = Collection(rollouts, 1)
    losses = []
    for step in range(30):
        targets = estimate(learner, collection, config, quiet)
        losses.append(
            fit(learner, collection, targets, config, quiet, lambda update, updates: 1.0, (0, step))[
                "critic/loss"
            ]
        )
    values = [float(v.mean()) for v in estimate(learner, collection, config, quiet).columns["old_values"]]
    assert losses[-1] < 0.05 * losses[0]
    assert values[0] < 0.25 < 0.75 < values[1]
    moved = any(
        not torch.equal(a, b)
        for a, b in zip(learner.policy.parameters(), learner.reference.parameters(), strict=True)
    )
    assert moved == (trunk == "shared")


def test_a_gradient_that_is_not_finite_stops_the_run_and_spares_the_weights():
    config = _config("grpo", samples_per_prompt=2)
    learner, before = learner_for(config), small_model(0)
    rollouts = [
        Rollout(
            Problem("0", "", "1"),
            i,
            (1, 2),
            Completion("", (1, 0), (-float("inf"), -0.1), False),
            Verdict("other", None, "wrong"),
            float(i),
        )
        for i in range(2)
    ]
    collection = Collection(rollouts, 2)
    targets = estimate(learner, collection, config, runtime())
    with pytest.raises(FloatingPointError, match="step 7, update 1"):
        fit(learner, collection, targets, config, runtime(), lambda update, updates: 1.0, (0, 7))
    for now, then in zip(learner.policy.parameters(), before.parameters(), strict=True):
        assert torch.equal(now, then)


def test_schedules_over_the_run_and_over_each_step():
    run = RLConfig(warmup_steps=2, lr_floor=0.5)
    assert [lr_schedule(run, step, 10)(3, 4) for step in (1, 2, 3)] == pytest.approx([0.5, 1.0, 1.0])
    step = RLConfig(schedule="step", warmup_steps=1, lr_floor=0.0)
    assert [lr_schedule(step, 9, 10)(update, 3) for update in range(3)] == pytest.approx([1.0, 1.0, 0.5])


def test_the_kl_coefficient_moves_only_towards_a_target():
    assert adapt_kl(RLConfig(), 0.1, kl=5.0) == 0.1
    config = RLConfig(kl={"coef": 0.1, "target": 0.05})
    assert adapt_kl(config, 0.1, kl=5.0) > 0.1 > adapt_kl(config, 0.1, kl=0.0)
