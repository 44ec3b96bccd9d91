"""The learner: policy, reference, critic, their optimizers and the KL coefficient."""

from dataclasses import dataclass, replace
from pathlib import Path

import torch

from ..core.errors import UserError
from ..model.adapter import add_adapter
from ..model.critic import Critic
from ..model.decoder import Decoder
from ..model.load_model import load_model
from ..model.optimizer import Optimizer
from ..model.runtime import Runtime, speed_up
from ..model.settings import NATIVE_ENGINE, TRANSFORMERS_ENGINE
from ..model.state import Stateful, load_state, save_state
from ..model.tokenizer import Tokenizer
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

    def restart(self, config: RLConfig) -> None:
        """Back to the base's weights with a fresh optimizer."""
        self.policy.load_state_dict(self.reference.state_dict())
        self.optimizer = Optimizer(self.policy, config.optimizer)

    def parameters(self) -> list[torch.nn.Parameter]:
        """All that an update may change, each once."""
        parts = [part.model for part in (self.optimizer, self.critic_optimizer) if part is not None]
        return [parameter for part in parts for parameter in part.parameters()]

    def step(self, factor: float) -> float:
        """Update everything that has a gradient; returns the policy's gradient norm before clipping."""
        if self.critic_optimizer is not None:
            self.critic_optimizer.step(factor)
        return self.optimizer.step(factor)

    def save(self, path: Path, step: int) -> None:
        """Resume state after `step`."""
        save_state(path, step, self._parts(), {"kl_coef": self.kl_coef})

    def load(self, path: Path | None) -> int:
        """Load a saved state; returns the last finished step, 0 where nothing was saved."""
        state = load_state(path, self._parts())
        if state is None:
            return 0
        self.kl_coef = state["kl_coef"]
        return int(state["step"])

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
        critic_optimizer = Optimizer(critic, config.critic.optimizer) if trunk else None
    for model in (policy, reference, critic.trunk if critic else None):
        if model is not None:
            speed_up(model, runtime, compiled=model is not reference)
    shared = torch.nn.ModuleList([policy, critic]) if critic and critic_optimizer is None else policy
    optimizer = Optimizer(shared, config.optimizer)
    return Learner(
        algorithm, policy, reference, critic, optimizer, critic_optimizer, config.kl.coef
    ), tokenizer


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
