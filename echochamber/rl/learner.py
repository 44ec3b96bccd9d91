"""The learner: policy, reference, critic, their optimizers and the KL coefficient."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from ..core.errors import UserError
from ..core.resume_record import step_of
from ..model.adapter import add_adapter, weights_of
from ..model.critic import Critic
from ..model.decoder import Decoder
from ..model.load_model import load_model
from ..model.optimizer import Optimizer
from ..model.ranks import Ranks
from ..model.resume_state import TrainingState
from ..model.runtime import Runtime, prepare
from ..model.settings import NATIVE_ENGINE, TRANSFORMERS_ENGINE
from ..model.state import Stateful, load_state
from ..model.tokenizer import Tokenizer
from ..model.transformer import Transformer
from ..model.transformers_model import TransformersModel
from .algorithms import Algorithm, algorithm_row
from .config import RLConfig


@dataclass
class Learner:
    """Everything that a step may change."""

    algorithm: Algorithm
    policy: Decoder
    reference: Decoder
    """The base, never renewed: KL always measures the distance from pretraining."""
    critic: Critic | None
    optimizer: Optimizer
    critic_optimizer: Optimizer | None
    """None where there is no critic, or where it shares the policy's trunk and optimizer."""
    kl_coef: float
    sampler: Decoder | None = None
    """A whole copy of a split policy, from which this rank samples; None: the policy itself."""
    in_parts: bool = False
    """Whether resume state is a folder to which every rank writes its part."""

    @property
    def split(self) -> bool:
        """Whether weights are split over several ranks (`model.shard`)."""
        return self.sampler is not None

    def weights(self) -> Mapping[str, Tensor]:
        """The policy's weights for an engine; split ones are gathered on every rank as they are read."""
        if not self.split:
            return weights_of(self.policy)
        from ..model.shard import WholeWeights

        return WholeWeights(self.policy)

    def sync_gradients(self, wanted: bool) -> None:
        """Whether the next backward passes sum split gradients over the ranks."""
        from ..model.shard import sync_gradients

        sync_gradients((self.policy, self.critic), wanted)

    def whole_policy(self) -> dict[str, Tensor] | None:
        """A split policy's weights on rank 0, for a checkpoint; every rank calls it. None: it holds them."""
        if not self.split:
            return None
        from ..model.shard import whole_state

        return whole_state(self.policy)

    def restart(self, config: RLConfig) -> None:
        """Back to the base's weights with a fresh optimizer."""
        self.policy.load_state_dict(self.reference.state_dict())
        self.optimizer = type(self.optimizer)(self.policy, config.optimizer)

    def parameters(self) -> list[torch.nn.Parameter]:
        """All that an update may change, each once."""
        parts = [part.model for part in (self.optimizer, self.critic_optimizer) if part is not None]
        return [parameter for part in parts for parameter in part.parameters()]

    def step(self, factor: float) -> float:
        """Update everything that has a gradient; returns the policy's gradient norm before clipping."""
        if self.critic_optimizer is not None:
            self.critic_optimizer.step(factor)
        return self.optimizer.step(factor)

    def state(self) -> TrainingState:
        """What a run continues from."""
        return TrainingState(self._trained(), self._parts(), {"kl_coef": self.kl_coef}, self.in_parts)

    def load(self, path: Path | None, ranks: Ranks) -> int:
        """Load a saved state; returns the last finished step, 0 where nothing was saved."""
        if path is not None and self.in_parts:
            from ..model.shard import load_sharded

            numbers = load_sharded(path, self._trained(), ranks, {"kl_coef": self.kl_coef})
            self.kl_coef = numbers["kl_coef"]
            return step_of(path)
        state = load_state(path, self._parts())
        if state is None:
            return 0
        self.kl_coef = state["kl_coef"]
        return int(state["step"])

    def _trained(self) -> list[tuple[nn.Module, Optimizer]]:
        pairs: list[tuple[nn.Module, Optimizer]] = [(self.policy, self.optimizer)]
        if self.critic is not None and self.critic_optimizer is not None:
            pairs.append((self.critic, self.critic_optimizer))
        return pairs

    def _parts(self) -> dict[str, Stateful]:
        parts: dict[str, Stateful | None] = {
            "model": self.policy,
            "optimizer": self.optimizer,
            "critic": self.critic,
            "critic_optimizer": self.critic_optimizer,
        }
        return {name: part for name, part in parts.items() if part is not None}


def start_learner(config: RLConfig, base: Path, runtime: Runtime, seed: int = 0) -> tuple[Learner, Tokenizer]:
    """A learner at the checkpoint `base`, and its tokenizer; `seed` is that of adapters."""
    algorithm = algorithm_row(config.algorithm)
    if config.adapter is not None:
        runtime = _for_adapters(runtime)
    policy, tokenizer = _trained(config, base, runtime, seed)
    reference, _ = load_model(base, runtime)
    reference.requires_grad_(False)
    critic, critic_optimizer = None, None
    if algorithm.critic:
        trunk = _trained(config, base, runtime, seed)[0] if config.critic.trunk == "own" else None
        critic = Critic(policy.config.hidden_size, trunk).to(runtime.device)
    split = config.shard and runtime.ranks.world_size > 1
    for model in (policy, reference, critic.trunk if critic else None):
        if model is not None:
            prepare(model, runtime, split, compiled=model is not reference, many_widths=True)
    if split:
        _split(policy, reference, critic, runtime)
    if critic and critic.trunk:
        critic_optimizer = Optimizer(critic, config.critic.optimizer)
    shared = torch.nn.ModuleList([policy, critic]) if critic and critic_optimizer is None else policy
    optimizer = Optimizer(shared, config.optimizer)
    sampler = load_model(base, runtime)[0].requires_grad_(False) if split else None
    return Learner(
        algorithm,
        policy,
        reference,
        critic,
        optimizer,
        critic_optimizer,
        config.kl.coef,
        sampler,
        in_parts=config.shard,
    ), tokenizer


def _split(policy: Decoder, reference: Decoder, critic: Critic | None, runtime: Runtime) -> None:
    """Split all models over the ranks. Each is freed whole after every pass: it changes between passes."""
    from ..model.shard import shard, shard_critic  # its imports take most of a second

    for model in (policy, reference):
        if not isinstance(model, Transformer):
            raise UserError(
                "rl.shard: only this project's own decoder is split; leave it out for models of transformers"
            )
        shard(model, runtime.ranks, runtime.device.type, runtime.dtype, reshard=True)
    if critic is not None:
        shard_critic(critic, runtime.ranks, runtime.device.type, runtime.dtype)


def _trained(config: RLConfig, base: Path, runtime: Runtime, seed: int) -> tuple[Decoder, Tokenizer]:
    """A model to train: all its weights, or an adapter."""
    model, tokenizer = load_model(base, runtime)
    if config.adapter is not None:
        assert isinstance(model, TransformersModel), "the engine was chosen so"
        add_adapter(model, config.adapter, seed)
    return model, tokenizer


def _for_adapters(runtime: Runtime) -> Runtime:
    """The runtime with the engine that takes adapters."""
    if runtime.engine == NATIVE_ENGINE:
        raise UserError(
            "rl adapter: runs in the engine transformers alone; runtime.engine is 'native', use 'auto'"
        )
    return replace(runtime, engine=TRANSFORMERS_ENGINE)
