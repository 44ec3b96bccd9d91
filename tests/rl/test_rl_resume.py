"""RL is a function of its seed: run twice, cut and continued, the bytes are the same."""

import signal
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from echochamber.core.errors import UserError
from echochamber.core.jsonl import write_jsonl
from echochamber.core.metrics import read_metrics
from echochamber.core.numbers import format_number
from echochamber.core.types import Problem
from echochamber.model.checkpoint import save_checkpoint
from echochamber.model.runtime import RuntimeConfig, start_runtime
from echochamber.rl import loop as rl_stage
from echochamber.rl import sampling as gather
from echochamber.rl.algorithms import algorithm_row
from echochamber.rl.config import RLConfig, checkpoint_steps, num_steps
from echochamber.rl.presets import RL_PRESETS, rl_preset
from echochamber.rl.problem_order import problems_of_step
from echochamber.rl.targets import group_advantages, has_signal
from echochamber.rollout.demonstrations import read_demonstrations
from tests.model.conftest import tiny_model, tokenizer  # noqa: F401

PROBLEMS = [
    Problem(str(i), f"Mia has {i} boxes of 3 pens. How many pens?", format_number(3 * i), "all", "train")
    for i in range(6)
]
CONFIG = RLConfig(
    reward="random",
    steps=5,
    prompts_per_step=3,
    samples_per_prompt=4,
    max_new_tokens=10,
    rollouts_kept=4,
    kl={"coef": 0.01, "estimator": "k2", "place": "loss"},
    minibatch_samples=6,
    checkpoints={"count": 3},
    optimizer={"lr": 1e-2},
)


@pytest.fixture
def base(tmp_path, tokenizer):  # noqa: F811
    save_checkpoint(tmp_path / "base", tiny_model("llama"), tokenizer)
    return tmp_path / "base"


def _run(base, folder, seed=0, config=CONFIG):
    runtime = start_runtime(RuntimeConfig(threads=1, compile="off"))
    folder.mkdir(exist_ok=True)
    rl_stage.rl(config, seed, base, PROBLEMS, folder, runtime)
    names = [
        "metrics.jsonl",
        "rollouts.parquet",
        "checkpoints/step_5/model.safetensors",
        "checkpoints/step_2/model.safetensors",
    ]
    return {name: (folder / name).read_bytes() for name in names}


@pytest.mark.medium
def test_same_seed_same_bytes_other_seed_other_bytes(base, tmp_path):
    first = _run(base, tmp_path / "a")
    assert _run(base, tmp_path / "b") == first
    assert _run(base, tmp_path / "c", seed=1)["metrics.jsonl"] != first["metrics.jsonl"]


@pytest.mark.medium
def test_another_stream_draws_anew_from_the_same_base_and_the_first_keeps_its_identity(base, tmp_path):
    other = CONFIG.model_copy(update={"stream": 1})
    first, second = _run(base, tmp_path / "a"), _run(base, tmp_path / "b", config=other)
    assert first["metrics.jsonl"] != second["metrics.jsonl"]
    assert _run(base, tmp_path / "c", config=other) == second
    assert _run(base, tmp_path / "d", seed=1, config=other)["metrics.jsonl"] != second["metrics.jsonl"]
    assert (CONFIG.random_seed(5), other.random_seed(5)) == (5, other.random_seed(5))
    assert "stream" not in CONFIG.identity()
    assert other.identity()["stream"] == 1


@pytest.mark.parametrize("cut_at", [1, 2, 4])
@pytest.mark.medium
def test_cut_and_continued_ends_in_the_same_bytes(base, tmp_path, monkeypatch, cut_at):
    whole = _run(base, tmp_path / "whole")
    with monkeypatch.context() as patch:
        patch.setattr("echochamber.core.resume.ResumePoint.due", lambda self: True)
        collect, calls = gather.collect, []

        def cut(*args):
            calls.append(1)
            if len(calls) > cut_at:
                raise KeyboardInterrupt
            return collect(*args)

        patch.setattr(gather, "collect", cut)
        with pytest.raises(KeyboardInterrupt):
            _run(base, tmp_path / "cut")
    continued = []
    with monkeypatch.context() as patch:
        patch.setattr(gather, "collect", lambda *args: continued.append(1) or collect(*args))
        assert _run(base, tmp_path / "cut") == whole
    assert len(continued) == 5 - cut_at


ARMS = {
    "ppo": {
        "kl": {"coef": 0.01, "target": 0.02},
        "critic": {"optimizer": {"lr": 1e-2}},
        "loss": {"old_logprobs": "recomputed"},
    },
    "ppo-shared": {"algorithm": "ppo", "critic": {"trunk": "shared"}},
    "dapo": {"sampling_rounds": 2, "overlong_buffer": 4, "passes": 2},
    "expert_iteration": {"restart": True, "passes": 2, "schedule": "step", "top_p": 0.95},
    "rloo": {"kl": {"coef": 0.05}},
}


@pytest.mark.parametrize("arm", ARMS)
@pytest.mark.medium
def test_every_kind_of_arm_continues_to_the_same_bytes(base, tmp_path, monkeypatch, arm):
    """Critic, its optimizer, the adapted coefficient, several passes and fresh starts survive Ctrl-C."""
    config = RLConfig.model_validate(CONFIG.model_dump() | {"algorithm": arm, "kl": {}} | ARMS[arm])
    whole = _run(base, tmp_path / "whole", config=config)
    # A process that was started in the background ignores the signal until told otherwise.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    collect, calls = gather.collect, []

    def interrupted(*args):
        calls.append(1)
        if len(calls) == 3:
            signal.raise_signal(signal.SIGINT)
        return collect(*args)

    with monkeypatch.context() as patch:
        patch.setattr(gather, "collect", interrupted)
        with pytest.raises(KeyboardInterrupt):
            _run(base, tmp_path / "cut", config=config)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    kept = read_metrics(tmp_path / "cut" / "metrics.jsonl")
    assert 1 <= len(kept) < 5, "the step that was interrupted was finished and kept"
    assert _run(base, tmp_path / "cut", config=config) == whole


def test_frozen_policy_stays_what_it_was(base, tmp_path):
    config = RLConfig.model_validate(CONFIG.model_dump() | {"kl": {}, "optimizer": {"lr": 0.0}})
    _run(base, tmp_path / "frozen", config=config)
    first, last = (
        load_file(tmp_path / "frozen" / "checkpoints" / f"step_{step}" / "model.safetensors")
        for step in (0, 5)
    )
    assert all(torch.equal(first[name], last[name]) for name in first)


@pytest.mark.medium
def test_fine_tuning_on_given_completions_makes_them_likely(base, tmp_path):
    rows = [
        {"question": p.question, "completion": "def simple_math_problem() -> int:\n    return 3"}
        for p in PROBLEMS
    ]
    path = tmp_path / "given.jsonl"
    write_jsonl(path, rows)
    config = RLConfig(
        algorithm="sft",
        completions=str(path),
        steps=20,
        prompts_per_step=6,
        samples_per_prompt=1,
        max_new_tokens=60,
        optimizer={"lr": 1e-2},
        checkpoints={"count": 1},
        rollouts_kept=2,
    )
    (tmp_path / "sft").mkdir()
    rl_stage.rl(config, 0, base, [], tmp_path / "sft", start_runtime(RuntimeConfig(threads=1, compile="off")))
    metrics = read_metrics(tmp_path / "sft" / "metrics.jsonl")
    assert metrics[0]["format/tinygsm/share"] == 1.0
    assert metrics[-1]["policy/loss"] < 0.3 * metrics[0]["policy/loss"]
    assert metrics[-1]["sampler/logprob_diff"] is None, "nobody sampled these"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"question": "q"}', "line 1: column 'completion'"),
        ('{"question": "q", "completion": 3}', "line 1: completion is 3"),
        ("", "no rows"),
        ("nonsense", "line 1: is not JSON"),
    ],
)
def test_bad_completions_are_named(tmp_path, text, said):
    (tmp_path / "given.jsonl").write_text(text)
    with pytest.raises(UserError, match=said):
        read_demonstrations(tmp_path / "given.jsonl")


def test_a_gradient_that_is_not_finite_names_step_batch_and_checkpoint(base, tmp_path, monkeypatch):
    collect, calls = gather.collect, []

    def poisoned(*args):
        collection = collect(*args)
        calls.append(1)
        if len(calls) == 4:
            first = collection.rollouts[0]
            broken = replace(first.completion, logprobs=(float("-inf"),) * len(first.completion.logprobs))
            collection.rollouts[0] = replace(first, completion=broken)
        return collection

    monkeypatch.setattr(gather, "collect", poisoned)
    with pytest.raises(
        UserError, match=r"step 4, update \d.*accuracy.*last good checkpoint is .*checkpoints/step_2"
    ):
        _run(base, tmp_path / "broken")


@pytest.mark.parametrize("name", RL_PRESETS)
def test_every_preset_is_a_valid_arm(name):
    RLConfig.parse(rl_preset(name, "here"), name)


def test_presets_of_the_paper_as_configured_and_as_the_code_behaves():
    configured, released = (
        RLConfig.parse(rl_preset(name, ""), name) for name in ("paper-ppo", "paper-ppo-released")
    )
    assert (configured.critic.optimizer.lr, released.critic.optimizer.lr) == (7e-6, 1e-6)
    assert configured.optimizer.lr == released.optimizer.lr == 1e-6
    assert num_steps(configured, 7473) == 1160
    assert (configured.prompts_per_step * configured.samples_per_prompt) // configured.minibatch_samples == 8
    assert [
        RLConfig.parse(rl_preset(name, ""), name).kl.coef for name in ("paper-grpo", "paper-grpo-released")
    ] == [1e-3, 0.0]
    with pytest.raises(UserError, match="rl.a.preset is 'nano-pop'; allowed are paper-ppo"):
        rl_preset("nano-pop", "rl.a.preset")


def test_presets_of_the_paper_keep_the_suffix_of_this_projects_documents():
    """Stated in docs/algorithms.md: the authors' prompts end with the question."""
    for name in RL_PRESETS:
        assert RLConfig.parse(rl_preset(name, ""), name).prompt_suffix == "\n\n"


def test_every_problem_comes_once_per_epoch_in_an_order_of_its_own():
    steps = [problems_of_step(PROBLEMS, 4, step, seed=0) for step in range(1, 4)]
    seen = [p.id for chosen in steps for p in chosen]
    assert sorted(seen[:6]) == sorted(seen[6:12]) == [p.id for p in PROBLEMS]
    assert seen[:6] != seen[6:12]


def test_steps_follow_from_epochs_and_checkpoints_hold_the_ends():
    config = RLConfig(epochs=1.0, prompts_per_step=32)
    assert num_steps(config, 2048) == 64
    assert {0, 1, 64} <= checkpoint_steps(config, 2048)


def test_a_sample_nobody_could_grade_carries_no_signal():
    rewards = np.array([1.0, 0.0, np.nan, 1.0, np.nan, np.nan, np.nan, np.nan])
    row = algorithm_row("grpo")
    advantages = group_advantages(row, row.advantages, rewards, 4)
    assert advantages[2] == 0
    assert np.array_equal(advantages[4:], np.zeros(4))
    assert advantages[0] > 0 > advantages[1]
    assert np.isfinite(advantages).all()
    assert has_signal(rewards, 4).tolist() == [True, False]
