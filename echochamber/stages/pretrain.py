"""Pretraining: next-token prediction on packed shards, from random weights to checkpoints."""

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor

from ..core.errors import UserError
from ..core.files import make_folder
from ..core.keys import key
from ..core.metrics import MetricsLog
from ..core.progress import progress_bar
from ..core.resume import ResumePoint
from ..data.mixture_tokens import open_tokens
from ..data.token_stream import TokenStream
from ..formulas.schedules import log_spaced_steps, warmup_cosine
from ..model.attention_ranges import AttentionRanges
from ..model.checkpoint import save_checkpoint
from ..model.fit_memory import tokens_that_fit
from ..model.optimizer import Optimizer
from ..model.peak import matrix_peak, stated_peak
from ..model.presets import flops_per_token, num_parameters, preset
from ..model.ranks import Ranks
from ..model.resume_state import TrainingState, save_resume
from ..model.runtime import Runtime, prepare
from ..model.state import load_state
from ..model.tokenizer import Tokenizer, load_tokenizer
from ..model.transformer import Transformer
from .settings import PretrainConfig

T = TypeVar("T")
TokenBatch = tuple[Tensor, Tensor, Tensor | None]
"""Inputs, targets and, where attention stays inside documents, the document of each input; (B, T) each."""
LossFunction = Callable[[Tensor, Tensor, Tensor | None], Tensor]
"""(inputs, targets, documents), each (B, T) -> mean loss."""


def pretrain(
    config: PretrainConfig,
    seed: int,
    shards_folder: Path,
    tokenizer_folder: Path,
    folder: Path,
    runtime: Runtime,
) -> None:
    """Train from random weights; writes `checkpoints/step_N`, `metrics.jsonl` and `timing.jsonl`."""
    ranks, shards, tokenizer = runtime.ranks, open_tokens(shards_folder), load_tokenizer(tokenizer_folder)
    total, sequences = _steps(config, shards)
    warmup = round(config.warmup_share * total) if config.warmup_steps is None else config.warmup_steps
    model = new_model(config, tokenizer.vocab_size, seed).to(runtime.device)
    prepare(model, runtime, split=config.shard)
    if config.shard:
        _split(model, runtime)
    # Split weights receive the mean over ranks of what each computed for its own part, others the sum.
    parts = ranks.world_size if config.shard else 1
    optimizer = Optimizer(model, config.optimizer)
    resume = ResumePoint(folder, runtime.resume)
    state = TrainingState(
        [(model, optimizer)], {"model": model, "optimizer": optimizer}, in_parts=config.shard
    )
    done = _load(config, resume, model, optimizer, ranks)
    first = 0 if done is None else done + 1
    loss_of = loss_function(model, runtime)
    at_once, keep = _sequences_at_once(config, model, folder, runtime), _kept_steps(config, total)
    peak = stated_peak(runtime.device, runtime.dtype) or matrix_peak(runtime.dtype, runtime.device)
    label = f"pretrain {config.size} ({num_parameters(model.config):,} parameters)"

    with (
        MetricsLog(folder if ranks.is_main else None, resume_after=done) as log,
        resume.finish_step_on_interrupt(),
        progress_bar(label, total, first, "steps") as bar,
        ahead(partial(_batch, shards, sequences, config, seed, ranks), range(first, total)) as batches,
    ):
        for step in range(first, total):
            started = time.perf_counter()
            value = backward(loss_of, _moved(next(batches), runtime), sequences // parts, at_once)
            factor = warmup_cosine(step, total, warmup, config.lr_floor)
            if not config.shard:
                ranks.sum_gradients(model.parameters())
            grad_norm = optimizer.step(factor)
            value = float(ranks.sum(torch.tensor(value, dtype=torch.float64))) / parts
            _check_numbers(step, value, grad_norm)
            tokens = (step + 1) * sequences * config.sequence_length
            log.write(
                step,
                {"tokens": tokens, "loss": value, "lr": config.optimizer.lr * factor, "grad_norm": grad_norm},
            )
            rate = sequences * config.sequence_length / (time.perf_counter() - started)
            flops = rate * flops_per_token(model.config, config.sequence_length)
            log.write_timing(
                step,
                {"tokens_per_s": rate, "flops_per_s": flops, "peak_share": flops / ranks.world_size / peak},
            )
            bar.advance(note=f"loss {value:.3f}  {rate:,.0f} tokens/s")
            if step + 1 in keep:
                _keep(folder / "checkpoints" / f"step_{step + 1}", model, tokenizer, config.shard, runtime)
            if ranks.any(resume.due()):
                log.sync()
                save_resume(resume, step, state, ranks)
                resume.saved()


def _split(model: Transformer, runtime: Runtime) -> None:
    """Leave each rank a part of every weight."""
    from ..model.shard import shard  # its imports take most of a second

    # On CPUs weights are gathered in float32, as they were before there was a choice.
    on_cuda = runtime.device.type == "cuda"
    shard(model, runtime.ranks, runtime.device.type, runtime.dtype if on_cuda else torch.float32)


def _keep(target: Path, model: Transformer, tokenizer: Tokenizer, split: bool, runtime: Runtime) -> None:
    """Save a checkpoint; every rank calls it, and the first one writes."""
    weights = None
    if split:
        from ..model.shard import whole_state

        weights = whole_state(model)
    if runtime.ranks.is_main:
        make_folder(target.parent)
        save_checkpoint(target, model, tokenizer, weights, runtime.checkpoint_dtype)


def _sequences_at_once(config: PretrainConfig, model: Transformer, folder: Path, runtime: Runtime) -> int:
    """Sequences per microbatch: what was asked, as far as memory allows, at least one."""
    asked = config.microbatch_tokens or config.batch_tokens // runtime.ranks.world_size
    tokens = tokens_that_fit(asked, config.sequence_length, model, folder, runtime)
    return max(1, tokens // config.sequence_length)


def _kept_steps(config: PretrainConfig, total: int) -> set[int]:
    """Steps after which a checkpoint is saved."""
    spaced = set(log_spaced_steps(total, config.checkpoints)) - {0} if config.checkpoints > 1 else {total}
    return spaced | set(config.keep_steps)


def _check_numbers(step: int, loss: float, grad_norm: float) -> None:
    """`UserError` where training has diverged."""
    if loss != loss or grad_norm != grad_norm:
        raise UserError(
            f"pretrain: loss {loss}, gradient norm {grad_norm} at step {step}; "
            "lower pretrain.optimizer.lr or muon_lr"
        )


def _load(
    config: PretrainConfig, resume: ResumePoint, model: Transformer, optimizer: Optimizer, ranks: Ranks
) -> int | None:
    """Load the saved state; returns the last finished step, None where nothing was saved."""
    if config.shard:
        from ..model.shard import load_sharded

        source = resume.state
        if source is None:
            return None
        load_sharded(source, [(model, optimizer)], ranks)
        return int(source.name.rpartition("-")[2])
    state = load_state(resume.state, {"model": model, "optimizer": optimizer})
    return None if state is None else int(state["step"])


def new_model(config: PretrainConfig, vocab_size: int, seed: int) -> Transformer:
    """A model with random weights, a function of config and seed alone."""
    model = Transformer(preset(config.size, vocab_size, config.max_positions))
    generator = torch.Generator().manual_seed(key("weights", seed) >> 1)
    model.init_weights(generator, scaled=config.residual_init == "scaled")
    return model


def _steps(config: PretrainConfig, shards: TokenStream) -> tuple[int, int]:
    """(optimizer steps, sequences per step)."""
    if config.batch_tokens % config.sequence_length:
        raise UserError(
            f"pretrain.batch_tokens is {config.batch_tokens}, "
            f"not a multiple of pretrain.sequence_length {config.sequence_length}"
        )
    total = (config.tokens or shards.num_tokens) // config.batch_tokens
    if total < 1:
        raise UserError(
            f"the mixture has {shards.num_tokens} tokens, "
            f"less than one batch of {config.batch_tokens} (pretrain.batch_tokens)"
        )
    return total, config.batch_tokens // config.sequence_length


def _batch(
    shards: TokenStream, sequences: int, config: PretrainConfig, seed: int, ranks: Ranks, step: int
) -> TokenBatch:
    """Inputs and targets (B, T) of a step; with `mask_documents` also the document of each input."""
    where = (step, sequences, config.sequence_length, key("order", seed), ranks.rank, ranks.world_size)
    inputs, targets = (torch.from_numpy(part) for part in shards.batch(*where))
    if not config.mask_documents:
        return inputs, targets, None
    documents = shards.document_ids(shards.positions(*where), config.sequence_length)
    return inputs, targets, torch.from_numpy(documents)


def _moved(batch: TokenBatch, runtime: Runtime) -> TokenBatch:
    inputs, targets, documents = batch
    device = runtime.device
    return inputs.to(device), targets.to(device), None if documents is None else documents.to(device)


@contextmanager
def ahead(read: Callable[[int], T], steps: Iterable[int]) -> Iterator[Iterator[T]]:
    """What `read` gives for each step, read by a thread while the step before is computed."""
    with ThreadPoolExecutor(1, "batches") as thread:
        yield _one_ahead(thread, read, steps)


def _one_ahead(thread: ThreadPoolExecutor, read: Callable[[int], T], steps: Iterable[int]) -> Iterator[T]:
    coming = None
    for step in steps:
        ready, coming = coming, thread.submit(read, step)
        if ready is not None:
            yield ready.result()
    if coming is not None:
        yield coming.result()


def backward(loss_of: LossFunction, batch: TokenBatch, sequences: int, at_once: int) -> float:
    """Add the gradient of this rank's part of the batch; returns its part of the batch's mean loss.

    `sequences`: the batch's size over all ranks; so all parts add up to the mean over the batch.
    """
    inputs, targets, documents = batch
    total = 0.0
    for start in range(0, len(inputs), at_once):
        some = slice(start, start + at_once)
        loss = loss_of(inputs[some], targets[some], None if documents is None else documents[some])
        loss = loss * (len(inputs[some]) / sequences)
        loss.backward()
        total += float(loss.detach())
    return total


def loss_function(model: Transformer, runtime: Runtime) -> LossFunction:
    """Mean cross-entropy in nats per token."""

    def loss_of(inputs: Tensor, targets: Tensor, documents: Tensor | None) -> Tensor:
        with runtime.autocast():
            # Through the model's own call, so that split weights (model.shard) are gathered first.
            logprobs = model(
                inputs, None if documents is None else AttentionRanges.documents(documents), targets
            )
        return -logprobs.mean()

    return loss_of
