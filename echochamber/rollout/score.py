"""Log-probabilities, logits and values of a batch of packed completions.

Axes: B completions, T tokens, N all completion tokens, D width, V vocabulary.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

import torch
from torch import Tensor

from ..model.critic import Critic
from ..model.decoder import Decoder
from ..model.ranks import Ranks
from ..model.runtime import Runtime
from .batch import Batch, TokenSequence, batches
from .collect import Rollout


def batch_states(model: Decoder, batch: Batch, runtime: Runtime) -> Tensor:
    """Hidden states (N, D) at the positions that predict each completion token; call within autocast."""
    rows = batch.rows
    states = model.hidden(rows.token_ids.to(runtime.device), rows.ranges)
    return states.flatten(0, 1)[batch.sources.to(runtime.device)]


def batch_logits(model: Decoder, batch: Batch, runtime: Runtime) -> Tensor:
    """Logits (N, V) that predict each completion token; the output head sees no other position."""
    with runtime.autocast():
        return model.logits(batch_states(model, batch, runtime))


def batch_logprobs(
    model: Decoder, batch: Batch, temperature: float, runtime: Runtime, with_entropy: bool = False
) -> tuple[Tensor, Tensor | None]:
    """Log-probability (N,) of each completion token at a temperature, in nats, and the entropy (N,) or None.

    The entropy has no gradient.
    """
    _, logprobs, entropy = states_and_logprobs(model, batch, temperature, runtime, with_entropy)
    return logprobs, entropy


def states_and_logprobs(
    model: Decoder, batch: Batch, temperature: float, runtime: Runtime, with_entropy: bool = False
) -> tuple[Tensor, Tensor, Tensor | None]:
    """`batch_states` (N, D), and `batch_logprobs` from them."""
    device = runtime.device
    with runtime.autocast():
        return model.states_and_logprobs(
            batch.rows.token_ids.to(device),
            batch.rows.ranges,
            batch.sources.to(device),
            batch.targets.to(device),
            temperature,
            with_entropy,
        )


def batch_values(critic: Critic, batch: Batch, policy_states: Tensor | None, runtime: Runtime) -> Tensor:
    """Values (N,) before each completion token, from the critic's own trunk or from the policy's states."""
    if critic.trunk is None:
        assert policy_states is not None
        values: Tensor = critic(policy_states)
        return values
    rows, device = batch.rows, runtime.device
    return critic.row_values(
        rows.token_ids.to(device), rows.ranges, batch.sources.to(device), runtime.autocast()
    )


def spread(batch: Batch, values: Tensor) -> Tensor:
    """(N,) values as (B, T), 0 on padding."""
    mask = batch.completion_mask.to(values.device)
    return torch.zeros(mask.shape, device=values.device).masked_scatter(mask, values)


def evenly(
    passes: list[Batch],
    rollouts: Sequence[TokenSequence],
    columns: Mapping[str, Sequence[Tensor]],
    ranks: Ranks,
) -> Iterator[tuple[Batch, bool]]:
    """This rank's forward passes, and as many that do not count (False) as it takes to keep up.

    Split weights (`model.shard`) are gathered by all ranks together, so all must make as many passes.
    A pass that does not count repeats the last one, or runs the first of all `rollouts`.
    """
    missing = max(ranks.gather(len(passes))) - len(passes)
    if missing and not passes:
        first = {name: values[:1] for name, values in columns.items()}
        filler = next(batches(rollouts[:1], first, 1))
    elif missing:
        filler = passes[-1]
    for batch in passes:
        yield batch, True
    for _ in range(missing):
        yield filler, False


@torch.no_grad()
def per_rollout(
    rollouts: Sequence[Rollout], tokens_at_once: int, runtime: Runtime, function: Callable[[Batch], Tensor]
) -> list[Tensor]:
    """What `function(batch)` gives per token (N,), as one tensor (T_i,) per rollout on the CPU.

    Each rank runs its part of the rollouts; all get the whole.
    """
    lengths = [len(r.completion.token_ids) for r in rollouts]
    results = [torch.zeros(length) for length in lengths]
    mine = runtime.ranks.part(len(rollouts))
    passes = list(batches(rollouts[mine], {}, tokens_at_once, fixed_shape=runtime.compile))
    for batch, counts in evenly(passes, rollouts, {}, runtime.ranks):
        values = function(batch)
        if not counts:
            continue
        parts = values.float().cpu().split(batch.completion_mask.sum(1).tolist())
        for index, part in zip(batch.members, parts, strict=True):
            results[mine.start + index] = part
    if runtime.ranks.world_size > 1:
        return list(runtime.ranks.sum(torch.cat(results)).split(lengths))
    return results


def all_logprobs(
    model: Decoder, rollouts: Sequence[Rollout], temperature: float, tokens_at_once: int, runtime: Runtime
) -> list[Tensor]:
    """log pi of every completion token at the sampling temperature, one tensor (T_i,) per rollout."""

    def logprobs(batch: Batch) -> Tensor:
        return batch_logprobs(model, batch, temperature, runtime)[0]

    return per_rollout(rollouts, tokens_at_once, runtime, logprobs)
