"""Optimizers: AdamW as the paper, or Muon on block matrices with AdamW on the rest."""

import math
import re

import torch
from torch import nn

from .native.muon import NativeMuon
from .settings import OptimizerConfig


class Optimizer:
    """One or two torch optimizers that step together under one schedule factor."""

    def __init__(self, model: nn.Module, config: OptimizerConfig) -> None:
        self.config, self.model = config, model
        matrices, rest = _split_parameters(model, config.name)
        self.parts: list[tuple[torch.optim.Optimizer, float]] = []
        if matrices:
            muon = muon_class(model)(
                matrices, lr=config.muon_lr, weight_decay=config.weight_decay, adjust_lr_fn="original"
            )
            self.parts.append((muon, config.muon_lr))
        adamw = torch.optim.AdamW(
            rest,
            lr=config.lr,
            betas=config.betas,
            eps=config.eps,
            weight_decay=config.weight_decay,
            fused=True,
        )
        self.parts.append((adamw, config.lr))

    def step(self, factor: float) -> float:
        """Clip, step at `factor` times the peak rates, clear gradients; returns the norm before clipping.

        Where the norm is not finite nothing is changed, so that the weights stay as good as they were.
        """
        total = nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip_norm)
        # Split weights (model.shard) have a norm that is spread over the ranks.
        norm = float(total.full_tensor() if hasattr(total, "full_tensor") else total)
        if not math.isfinite(norm):
            return norm
        for optimizer, peak in self.parts:
            for group in optimizer.param_groups:
                group["lr"] = peak * factor
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        return norm

    @property
    def torch_parts(self) -> list[torch.optim.Optimizer]:
        """The optimizers that step together."""
        return [optimizer for optimizer, _ in self.parts]

    def state_dict(self) -> list[dict[str, object]]:
        """State of every part, for resuming."""
        return [optimizer.state_dict() for optimizer, _ in self.parts]

    def load_state_dict(self, states: list[dict[str, object]]) -> None:
        """Inverse of `state_dict`."""
        for (optimizer, _), state in zip(self.parts, states, strict=True):
            optimizer.load_state_dict(state)


def muon_class(model: nn.Module) -> type[torch.optim.Muon]:
    """Muon in the engine that the model runs in; several threads of it give the same bytes."""
    native = getattr(model, "native", None)
    if native is None:
        return torch.optim.Muon
    return type("NativeMuon", (NativeMuon,), {"threads": native[0].threads})


def _split_parameters(model: nn.Module, name: str) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """Matrices inside blocks, which are numbered, go to Muon; embeddings, head and norms to AdamW."""
    matrices: list[nn.Parameter] = []
    rest: list[nn.Parameter] = []
    for key, parameter in model.named_parameters():
        inner = name == "muon" and parameter.dim() == 2 and bool(re.search(r"\.\d+\.", key))
        (matrices if inner else rest).append(parameter)
    return matrices, rest
