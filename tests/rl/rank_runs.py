"""Small pretraining and RL runs for any number of ranks: `python -m tests.rl.rank_runs DATA OUT`."""

import contextlib
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from echochamber.core.numbers import format_number
from echochamber.core.resume import ResumePoint
from echochamber.core.types import Problem
from echochamber.data.mixture import MixtureConfig
from echochamber.data.world import WorldConfig
from echochamber.model.checkpoint import save_checkpoint
from echochamber.model.runtime import Runtime, RuntimeConfig, start_runtime
from echochamber.model.tokenizer import train_tokenizer
from echochamber.rl import loop as rl_loop
from echochamber.rl.config import RLConfig
from echochamber.rl.loop import rl
from echochamber.rollout import collect_stored
from echochamber.stages import pretrain as stage
from echochamber.stages.prepare import TokenizerConfig, prepare_shards, prepare_tokenizer
from echochamber.stages.pretrain import PretrainConfig, pretrain
from tests.model.conftest import CORPUS, tiny_model

WORLD = WorldConfig(
    families=["shopping"],
    operations=(1, 2),
    max_value=50,
    wordings=1,
    vocabulary=3,
    number_words=0,
    irrelevant_facts=0,
)
PROBLEMS = [
    Problem(str(i), f"Mia has {i} boxes of 3 pens. How many pens?", format_number(3 * i), "all", "train")
    for i in range(6)
]
_TRAINING = {
    "size": "nano-0.2m",
    "sequence_length": 64,
    "max_positions": 128,
    "batch_tokens": 512,
    "tokens": 6144,
    "checkpoints": 3,
}
PRETRAIN = {
    "adamw": PretrainConfig(**_TRAINING, optimizer={"name": "adamw", "lr": 1e-3}),
    "muon": PretrainConfig(
        **_TRAINING, optimizer={"name": "muon", "lr": 3e-3}, microbatch_tokens=256, mask_documents=True
    ),
}
SHARDED = PretrainConfig(**_TRAINING, optimizer={"name": "adamw", "lr": 1e-3}, shard=True)
SHARDED_MUON = PretrainConfig(
    **_TRAINING | {"tokens": 1024}, optimizer={"name": "muon", "lr": 3e-3}, shard=True
)
_ARM = {
    # Three problems for two ranks: shares are uneven.
    "reward": "random",
    "steps": 3,
    "prompts_per_step": 3,
    "samples_per_prompt": 4,
    "max_new_tokens": 10,
    "rollouts_kept": 8,
    "checkpoints": {"count": 3},
    "microbatch_tokens": 300,
    "optimizer": {"lr": 1e-3},
}
RL = {
    "grpo": RLConfig(**_ARM, minibatch_samples=5, kl={"coef": 0.01, "estimator": "k2", "place": "loss"}),
    "ppo": RLConfig(**_ARM, algorithm="ppo", kl={"coef": 0.01, "estimator": "k1", "place": "reward"}),
    "dapo": RLConfig(**_ARM, algorithm="dapo", sampling_rounds=2, loss={"old_logprobs": "recomputed"}),
    "expert_iteration": RLConfig(**_ARM | {"prompts_per_step": 1}, algorithm="expert_iteration"),
    "expert_iteration_in_chunks": RLConfig(**_ARM, algorithm="expert_iteration"),
}
IN_CHUNKS = "expert_iteration_in_chunks"
"""Its rounds have chunks of one problem, so two ranks have shares of one and two."""


SPLIT_RL = {
    name: RL[name].model_copy(update={"shard": True}) for name in ("grpo", "ppo", "expert_iteration")
} | {
    # Every step starts from the base again: what a split policy gathered before must not be used.
    "restart": RLConfig(
        **_ARM | {"prompts_per_step": 2},
        algorithm="expert_iteration",
        restart=True,
        shard=True,
    ),
}


def prepare(data: Path) -> None:
    """Tokenizer, shards and a base model that all runs share."""
    for name in ("tokenizer", "shards"):
        (data / name).mkdir(parents=True)
    prepare_tokenizer(TokenizerConfig(vocab_size=300, documents=100), WORLD, data / "tokenizer")
    mixture = MixtureConfig.parse(
        {"budget_tokens": "20K", "sources": {"tinygsm": {"copies": 1}, "omi2": {"copies": 1}}}, "test"
    )
    prepare_shards(mixture, WORLD, "\n\n", 0, data / "tokenizer", data / "shards")
    save_checkpoint(data / "base", tiny_model("llama"), train_tokenizer(CORPUS, 300))


def run_all(data: Path, out: Path) -> None:
    """Every run above, in this process; with several ranks each process calls it."""
    runtime = start_runtime(RuntimeConfig(threads=1, compile="off", dtype="float32"))
    for name, config in PRETRAIN.items():
        pretrain(config, 0, data / "shards", data / "tokenizer", _folder(out / name, runtime), runtime)
    for name, config in RL.items():
        with pytest.MonkeyPatch.context() as patch:
            if name == IN_CHUNKS:
                patch.setattr(collect_stored, "COMPLETIONS_AT_ONCE", config.samples_per_prompt)
            rl(config, 0, data / "base", PROBLEMS, _folder(out / name, runtime), runtime)


def run_sharded(data: Path, out: Path, config: PretrainConfig = SHARDED, cut_at: int | None = None) -> None:
    """Pretraining with split weights; with `cut_at` it saves after every step and breaks off in that one."""
    runtime = start_runtime(RuntimeConfig(threads=1, compile="off", dtype="float32"))
    schedule = stage.warmup_cosine

    def cut(step: int, *rest: Any) -> float:
        if step == cut_at:
            raise KeyboardInterrupt
        return schedule(step, *rest)

    with pytest.MonkeyPatch.context() as patch, contextlib.suppress(KeyboardInterrupt):
        patch.setattr(ResumePoint, "due", lambda self: cut_at is not None)
        patch.setattr(stage, "warmup_cosine", cut)
        stage.pretrain(config, 0, data / "shards", data / "tokenizer", _folder(out, runtime), runtime)


def run_split_rl(data: Path, out: Path, split: bool = True, cut_at: int | None = None) -> None:
    """RL arms with split weights or, `split` False, whole ones; `cut_at` as in `run_sharded`, of `ppo`."""
    settings = {"threads": 1, "compile": "off", "dtype": "float32", "native": "off"}
    runtime = start_runtime(RuntimeConfig(**settings, checkpoint_blocks=split))
    arms = SPLIT_RL if cut_at is None else {"ppo": SPLIT_RL["ppo"]}
    schedule = rl_loop.lr_schedule

    def cut(config: RLConfig, step: int, total: int) -> Any:
        if step == cut_at:
            raise KeyboardInterrupt
        return schedule(config, step, total)

    for name, config in arms.items():
        with pytest.MonkeyPatch.context() as patch, contextlib.suppress(KeyboardInterrupt):
            patch.setattr(ResumePoint, "due", lambda self: cut_at is not None)
            patch.setattr(rl_loop, "lr_schedule", cut)
            arm = config.model_copy(update={"shard": split})
            rl_loop.rl(arm, 0, data / "base", PROBLEMS, _folder(out / name, runtime), runtime)


def _folder(path: Path, runtime: Runtime) -> Path:
    """Made by rank 0, as the study does."""
    if runtime.ranks.is_main:
        path.mkdir(parents=True, exist_ok=True)
    return Path(runtime.ranks.from_main(str(path)))


def start_ranks(count: int, *command: str) -> None:
    """Run `python COMMAND` as so many ranks and wait, as torchrun does; a failed one is an error."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = os.environ | {
        "WORLD_SIZE": str(count),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "OMP_NUM_THREADS": "1",
    }
    started = [
        subprocess.Popen([sys.executable, *command], env=shared | {"RANK": str(rank)})
        for rank in range(count)
    ]
    try:
        statuses = [process.wait(timeout=1800) for process in started]
    finally:
        for process in started:
            process.kill()
            process.wait()
    assert statuses == [0] * count


if __name__ == "__main__":
    place = Path(sys.argv[1]), Path(sys.argv[2])
    if "split-rl" in sys.argv:
        run_split_rl(*place)
        run_split_rl(place[0], place[1].with_name("cut"), cut_at=3)
    elif "sharded" in sys.argv:
        run_sharded(*place)
        run_sharded(place[0], place[1].with_name("sharded-muon"), SHARDED_MUON)
        run_sharded(place[0], place[1].with_name("cut"), cut_at=7)
    else:
        run_all(*place)
