"""`doctor --gpu`: is what a device computes right? Each check compares it with this machine's CPU.

Random weights and made-up prompts; nothing is downloaded. `device_speed` measures after that.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ..core.keys import key
from ..core.types import Completion, Problem, Verdict
from ..model.checkpoint import save_checkpoint
from ..model.runtime import Runtime
from ..model.settings import SamplingConfig
from ..model.state import load_state, save_state
from ..model.transformer import Transformer
from ..rl.config import RLConfig
from ..rl.learner import Learner, start_learner
from ..rl.targets import estimate
from ..rl.update import fit
from ..rollout.collect import Collection, Rollout
from ..rollout.engines import NativeEngine
from .device_parts import (
    VOCABULARY,
    Check,
    Finding,
    Sizes,
    exact_products,
    random_model,
    runtime_on,
    tiny_tokenizer,
)

CPU = torch.device("cpu")
ALGORITHMS = ("ppo", "grpo", "expert_iteration")
_PROMPTS, _SAMPLES = 4, 8


def correctness_checks(device: torch.device, sizes: Sizes) -> list[tuple[str, Check]]:
    """Comparisons of the device with the CPU, in float32, and of its bf16 sampler with its trainer."""
    return [
        ("float32", lambda: _float32(device, sizes)),
        ("bf16 sampler", lambda: _sampler(device, sizes)),
        *((f"step of {name}", lambda name=name: _rl_step(name, device, sizes)) for name in ALGORITHMS),
        ("resume", lambda: _resume(device, sizes)),
        ("export", lambda: _export(device, sizes)),
    ]


def _float32(device: torch.device, sizes: Sizes) -> Iterator[Finding]:
    """Logits, loss, gradients and greedy tokens."""
    ids = torch.randint(0, VOCABULARY, (4, sizes.tokens + 1), generator=torch.Generator().manual_seed(1))
    found = []
    with exact_products():
        for place in (CPU, device):
            model = random_model(sizes.correctness, VOCABULARY, 2 * sizes.tokens, place)
            model.low_memory = place != CPU
            inputs, targets = ids[:, :-1].to(place), ids[:, 1:].to(place)
            with torch.no_grad():
                logits = model(inputs)
            loss = -model(inputs, None, targets).mean()
            loss.backward()
            gradient = torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])
            greedy = _sampled(model, runtime_on(place), sizes, temperature=0.0)
            found.append((logits.cpu(), loss.detach().cpu(), gradient.cpu(), greedy))
    (logits, loss, gradient, greedy), (logits2, loss2, gradient2, greedy2) = found
    yield _close("logits, float32", logits2, logits, 1e-4)
    yield _close("loss, float32", loss2, loss, 1e-5)
    yield _close("gradients, float32", gradient2, gradient, 1e-4)
    equal = [one.token_ids == two.token_ids for one, two in zip(greedy, greedy2, strict=True)]
    state = "ok" if all(equal) else "FAILED"
    yield Finding("greedy tokens, float32", state, f"{sum(equal)} of {len(equal)} completions are equal")


def _sampled(
    model: Transformer, runtime: Runtime, sizes: Sizes, temperature: float = 1.0
) -> list[Completion]:
    tokenizer = tiny_tokenizer()
    sampling = SamplingConfig(temperature=temperature, max_new_tokens=sizes.tokens // 2)
    engine = NativeEngine(model, tokenizer, sampling, runtime, "")
    groups = engine.sample(_prompts(), _keys())
    return [completion for group in groups for completion in group]


def _prompts() -> list[list[int]]:
    return [[(7 * i + j) % 250 + 2 for j in range(6 + i)] for i in range(_PROMPTS)]


def _keys() -> np.ndarray:
    return np.array([[key("check", p, g) for g in range(_SAMPLES)] for p in range(_PROMPTS)], dtype=np.uint64)


def _sampler(device: torch.device, sizes: Sizes) -> Iterator[Finding]:
    """The bf16 sampler's log-probabilities beside the bf16 trainer's of the same tokens."""
    model, runtime = _model(sizes, device), runtime_on(device, torch.bfloat16)
    differences = []
    for index, completion in enumerate(_sampled(model, runtime, sizes)):
        prompt = _prompts()[index // _SAMPLES]
        ids = torch.tensor([[*prompt, *completion.token_ids]], device=device)
        with torch.no_grad(), runtime.autocast():
            logprobs = model(ids[:, :-1], None, ids[:, 1:])[0, len(prompt) - 1 :]
        differences.append((logprobs.cpu() - torch.tensor(completion.logprobs)).abs())
    mean = float(torch.cat(differences).mean())
    state = "ok" if mean < 0.02 else "FAILED"
    yield Finding("sampler beside trainer, bf16", state, f"mean difference {mean:.1e} nats (below 2e-2)")


def _model(sizes: Sizes, device: torch.device) -> Transformer:
    return random_model(sizes.correctness, VOCABULARY, 2 * sizes.tokens, device)


def _rl_step(algorithm: str, device: torch.device, sizes: Sizes) -> Iterator[Finding]:
    """One update from the same rollouts on both devices."""
    config = RLConfig.parse(
        {
            "algorithm": algorithm,
            "samples_per_prompt": _SAMPLES,
            "max_new_tokens": sizes.tokens // 2,
            "kl": {"coef": 0.01, "estimator": "k2", "place": "loss"},
            "optimizer": {"lr": 1e-3, "eps": 1e-3},
        },
        "doctor --gpu",
    )
    with tempfile.TemporaryDirectory() as folder, exact_products():
        save_checkpoint(Path(folder) / "base", _model(sizes, CPU), tiny_tokenizer())
        rollouts = _rollouts(_sampled(_model(sizes, CPU), runtime_on(CPU), sizes))
        found = [_fitted(config, Path(folder) / "base", rollouts, place) for place in (CPU, device)]
    change = float((found[0][0] - found[0][1]).abs().max())
    apart = float((found[1][0] - found[0][0]).abs().max())
    state = "ok" if change > 0 and apart < 0.02 * change else "FAILED"
    yield Finding(
        f"step of {algorithm}, float32", state, f"weights {apart:.1e} apart after a step of {change:.1e}"
    )


def _rollouts(completions: list[Completion]) -> list[Rollout]:
    """Half of every group is rewarded."""
    prompts, verdict = _prompts(), Verdict("other", None, "wrong")
    return [
        Rollout(
            Problem(str(i // _SAMPLES), "", "1"),
            i % _SAMPLES,
            tuple(prompts[i // _SAMPLES]),
            completion,
            verdict,
            float(i % 2),
        )
        for i, completion in enumerate(completions)
    ]


def _fitted(
    config: RLConfig, base: Path, rollouts: list[Rollout], place: torch.device
) -> tuple[Tensor, Tensor]:
    """The policy's weights after one step and before it, on the CPU."""
    runtime = runtime_on(place)
    learner, _ = start_learner(config, base, runtime)
    before = _flat(learner)
    collection = Collection(rollouts, _SAMPLES)
    targets = estimate(learner, collection, config, runtime)
    fit(learner, collection, targets, config, runtime, lambda *_: 1.0, (0, 1))
    return _flat(learner), before


def _flat(learner: Learner) -> Tensor:
    return torch.cat([value.detach().flatten().cpu() for value in learner.policy.weights().values()])


def _resume(device: torch.device, sizes: Sizes) -> Iterator[Finding]:
    """Two steps and two more, beside two steps, a file, and two more by a model that read it."""
    model, other = _model(sizes, device), _model(sizes, device)
    optimizer, other_optimizer = (
        torch.optim.AdamW(one.parameters(), lr=1e-3, fused=True) for one in (model, other)
    )
    ids = torch.arange(2, 2 + sizes.tokens, device=device)[None]

    def steps(which: Transformer, by: torch.optim.Optimizer) -> None:
        for _ in range(2):
            (-which(ids[:, :-1], None, ids[:, 1:])).mean().backward()
            by.step()
            by.zero_grad()

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "state.pt"
        steps(model, optimizer)
        save_state(path, 1, {"model": model, "optimizer": optimizer})
        load_state(path, {"model": other, "optimizer": other_optimizer})
    steps(model, optimizer)
    steps(other, other_optimizer)
    pairs = zip(model.parameters(), other.parameters(), strict=True)
    apart = max(float((one - two).detach().abs().max()) for one, two in pairs)
    where = {p.device.type for state in other_optimizer.state.values() for p in state.values() if p.dim()}
    state = "ok" if apart < 1e-5 and where == {device.type} else "FAILED"
    detail = f"state is on {', '.join(sorted(where))}; weights {apart:.1e} apart two steps later"
    yield Finding("resume", state, detail)


def _export(device: torch.device, sizes: Sizes) -> Iterator[Finding]:
    """A saved folder in transformers, on the same device."""
    try:
        from transformers import AutoModelForCausalLM
    except ImportError:
        yield Finding("export", "skipped", "transformers is not installed; pip install 'echochamber[hf]'")
        return
    model = _model(sizes, device)
    ids = torch.arange(2, 2 + sizes.tokens, device=device)[None]
    with tempfile.TemporaryDirectory() as folder, torch.no_grad(), exact_products():
        save_checkpoint(Path(folder), model, tiny_tokenizer())
        other: nn.Module = AutoModelForCausalLM.from_pretrained(folder)
        theirs = other.to(device)(ids).logits
        yield _close("export beside transformers", theirs, model(ids), 1e-4)


def _close(name: str, found: Tensor, expected: Tensor, tolerance: float) -> Finding:
    """The largest difference relative to the largest value."""
    scale = float(expected.abs().max())
    apart = float((found - expected).abs().max()) / scale
    state = "ok" if apart <= tolerance else "FAILED"
    return Finding(
        name, state, f"largest difference {apart:.1e} of the largest value (at most {tolerance:g})"
    )
