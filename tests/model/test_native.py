"""The engine in C against plain PyTorch: same sums, same gradients, same draws, up to bf16 rounding."""

import subprocess
import sys
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
import torch

from echochamber.core.random import key
from echochamber.formulas.logprobs import token_logprobs
from echochamber.model.attention_ranges import AttentionRanges
from echochamber.model.config import RopeScaling
from echochamber.model.native.library import cell_dtype, cells_per_word, why_not
from echochamber.model.native.muon import NativeMuon, orthogonalise
from echochamber.model.native.trunk import assign
from echochamber.model.native.weights import pack, why_unfit
from echochamber.model.optimizer import Optimizer, OptimizerConfig
from echochamber.model.runtime import Runtime, _say_plain, speed_up
from echochamber.model.sampling import SamplingConfig
from echochamber.model.transformer import Transformer

from .conftest import generate, tiny_model

pytestmark = pytest.mark.skipif(
    why_not() is not None, reason=f"the engine in C does not run here: {why_not()}"
)
BF16 = cell_dtype() == torch.bfloat16
"""What the engine computes in here; else float32."""
PROMPTS = ["Mia has 3 boxes", "How", "pens? 4 * 5 = 20. Mia has 7 boxes of 8 pens."]


def _model(architecture="llama", **settings):
    """Wide enough for the engine: tiny_model's heads are 8 wide."""
    config = tiny_model(architecture).config.model_copy(
        update={"hidden_size": 64, "intermediate_size": 96, "init_std": 0.12} | settings
    )
    model = Transformer(config)
    model.init_weights(torch.Generator().manual_seed(0))
    return model


def _ranges(kind, rows, width, generator):
    if kind == "causal":
        return AttentionRanges.causal(rows, width)
    if kind == "documents":
        return AttentionRanges.documents(
            torch.randint(0, 9, (rows, width), generator=generator).eq(0).long().cumsum(1)
        )
    # A prompt of 21 tokens shared by completions of 13, the last row ending early.
    columns = torch.arange(width, dtype=torch.int32).expand(rows, width)
    inside = columns >= 21
    start = torch.where(inside, 21 + (columns - 21) // 13 * 13, 0)
    positions = torch.where(inside, 21 + columns - start, columns)
    lengths = torch.tensor([width] * (rows - 1) + [width - 9])
    return AttentionRanges(positions, torch.zeros_like(columns), inside.int() * 21, start, lengths)


def _engine_precision():
    """Autocast as the runtime has it where the engine runs."""
    return torch.autocast("cpu", torch.bfloat16, enabled=BF16)


def _logprobs_and_gradients(model, ids, ranges, weights, autocast):
    model.zero_grad()
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        states = model.hidden(ids[:, :-1], ranges)
        logprobs, entropies = model.logprobs(
            states.flatten(0, 1), ids[:, 1:].flatten(), 0.7, with_entropy=True
        )
    (logprobs * weights).sum().backward()
    return logprobs.detach(), entropies, {name: p.grad.clone() for name, p in model.named_parameters()}


VARIANTS = {
    "biases": {"qkv_bias": True, "output_bias": True},
    "wide heads": {"head_dim": 32},
    "narrow heads": {"head_dim": 16, "num_heads": 2},
    "norms of heads": {"qk_norm": True, "head_dim": 32},
    "all": {
        "qk_norm": True,
        "head_dim": 48,
        "qkv_bias": True,
        "output_bias": True,
        "layers_without_rope": (1,),
    },
}
"""What Qwen, Mistral and SmolLM3 have beyond Llama."""


def _changed_vectors(model):
    """Biases away from 0, weights of norms away from 1."""
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 1:
                parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))
    return model


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize(("kind", "width"), [("causal", 33), ("documents", 160), ("shared", 301)])
def test_variants_equal_plain_pytorch(variant, kind, width):
    _equal_plain_pytorch(_changed_vectors(_model(max_positions=512, **VARIANTS[variant])), kind, width)


@pytest.mark.parametrize("architecture", ["llama", "olmo"])
@pytest.mark.parametrize("kind", ["causal", "documents", "shared"])
@pytest.mark.parametrize("width", [33, 160, 301])
def test_forward_and_backward_equal_plain_pytorch(architecture, kind, width):
    _equal_plain_pytorch(_model(architecture, max_positions=512), kind, width)


def _equal_plain_pytorch(model, kind, width):
    """In bf16 no further from float32 than torch's own autocast is; in float32 up to the order of sums."""
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(0, 300, (3, width + 1), generator=generator)
    ranges = _ranges(kind, 3, width, generator)
    real = (torch.arange(width) < ranges.lengths[:, None]).flatten()
    weights = torch.rand(3 * width, generator=generator) * real
    exact, exact_entropies, exact_gradients = _logprobs_and_gradients(
        model, ids, ranges, weights, autocast=False
    )
    rounded, _, rounded_gradients = _logprobs_and_gradients(model, ids, ranges, weights, autocast=True)
    model.use_native(2)
    native, entropies, gradients = _logprobs_and_gradients(model, ids, ranges, weights, autocast=BF16)

    def far(values, from_):
        return float((values - from_).norm() / from_.norm())

    if not BF16:
        assert far(native[real], exact[real]) < 1e-5
        assert far(entropies[real], exact_entropies[real]) < 1e-5
        assert max(far(gradients[name], exact_gradients[name]) for name in gradients) < 1e-5
        return
    assert far(native[real], exact[real]) < max(2 * far(rounded[real], exact[real]), 1e-3)
    assert far(entropies[real], exact_entropies[real]) < 1e-2
    for name, gradient in gradients.items():
        assert far(gradient, exact_gradients[name]) < max(
            2 * far(rounded_gradients[name], exact_gradients[name]), 1e-2
        ), name


def test_gradients_are_the_same_bytes_twice_and_do_not_depend_on_microbatches():
    model, generator = _model(), torch.Generator().manual_seed(0)
    model.use_native(2)
    ids, weights = torch.randint(0, 300, (6, 65), generator=generator), torch.ones(6 * 64)
    ranges = AttentionRanges.causal(6, 64)
    _, _, first = _logprobs_and_gradients(model, ids, ranges, weights, autocast=BF16)
    _, _, second = _logprobs_and_gradients(model, ids, ranges, weights, autocast=BF16)
    assert all(torch.equal(first[name], second[name]) for name in first)
    parts = [
        _logprobs_and_gradients(
            model, ids[i : i + 2], AttentionRanges.causal(2, 64), weights[:128], autocast=BF16
        )[2]
        for i in (0, 2, 4)
    ]
    for name, whole in first.items():
        torch.testing.assert_close(sum(part[name] for part in parts), whole, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", ["adamw", "muon"])
def test_weights_that_an_optimizer_changed_are_seen(name):
    """Fused AdamW does not count a version, so nothing may rest on that counter."""
    model = _model()
    model.use_native(1)
    optimizer = Optimizer(model, OptimizerConfig(name=name, lr=0.05, muon_lr=0.05))
    ids = torch.arange(2, 43)[None]

    def logprobs():
        with _engine_precision():
            return model.logprobs(model.hidden(ids[:, :-1])[0], ids[0, 1:])[0]

    before = logprobs()
    before.sum().backward()
    optimizer.step(1.0)
    after = logprobs().detach()
    model.native = None
    plain = logprobs().detach()
    assert (after - before.detach()).abs().max() > 1
    assert (after - plain).abs().max() < 0.2


def test_packing_puts_cells_along_the_contraction_into_words():
    weight = torch.arange(1.0, 257.0).view(16, 16)  # of 16 columns: one block on every instruction set
    if not BF16:
        assert cells_per_word() == 1
        assert torch.equal(pack([weight], False).view(torch.float32), weight.T)
        assert torch.equal(pack([weight[:1]], True, 16).view(torch.float32)[0], weight[0])
        return
    halves = pack([weight], False).view(torch.bfloat16).view(8, 16, 2)
    assert torch.equal(halves.float().permute(1, 0, 2).reshape(16, 16), weight)
    rows = pack([weight[:1]], True, 16).view(torch.bfloat16).view(8, 16, 2)
    assert torch.equal(rows[0, :, 0].float(), weight[0])
    assert not rows[0, :, 1].any()
    assert not rows[1:].any()


def test_rows_are_shared_out_evenly_and_once():
    owners = assign([300, 10, 200, 100, 290], 2)
    loads = [
        sum(n for n, owner in zip([300, 10, 200, 100, 290], owners, strict=True) if owner == t)
        for t in (0, 1)
    ]
    assert len(owners) == 5
    assert abs(loads[0] - loads[1]) <= 110


def _keys(count, group, seed=0):
    return np.array([[key(seed, p, g) for g in range(group)] for p in range(count)], dtype=np.uint64)


def _sample(model, tokenizer, texts, keys, dtype=None, **settings):
    sampling = SamplingConfig(**{"max_new_tokens": 24} | settings)
    ids = [tokenizer.encode(text) for text in texts]
    return list(generate(model, tokenizer, ids, keys, sampling, dtype or cell_dtype()))


@pytest.mark.parametrize("variant", ["llama", "olmo", "all"])
@pytest.mark.parametrize("temperature", [0.0, 0.7, 1.0])
def test_sampled_logprobs_equal_a_forward_pass(tokenizer, variant, temperature):
    settings = VARIANTS.get(variant)
    model = _model(variant) if settings is None else _changed_vectors(_model(**settings))
    model.use_native(2)
    model.lm_head.weight.data[tokenizer.eos_id] += 0.3
    differences = []
    for text, group in zip(
        PROMPTS, _sample(model, tokenizer, PROMPTS, _keys(3, 16), temperature=temperature), strict=True
    ):
        prompt = tokenizer.encode(text)
        for completion in group:
            ids = torch.tensor([prompt + list(completion.token_ids)])
            with torch.no_grad(), _engine_precision():
                expected = model.logprobs(model.hidden(ids[:, :-1])[0], ids[0, 1:], temperature or 1.0)[0][
                    len(prompt) - 1 :
                ]
            differences.append((torch.tensor(completion.logprobs) - expected).abs())
    assert float(torch.cat(differences).max()) < 2e-2
    assert float(torch.cat(differences).mean()) < 2e-3


@pytest.mark.parametrize("settings", [{}, {"top_k": 5}, {"stop": ("e",)}, {"temperature": 0.0}])
def test_text_does_not_depend_on_neighbours_or_slots(tokenizer, settings):
    """Bit for bit: rows are summed as if alone.

    Two slots serve 48 rows, so slots are used again and again.
    """
    model = _model()
    model.lm_head.weight.data[tokenizer.eos_id] += 0.3
    model.use_native(2)
    together = _sample(model, tokenizer, PROMPTS * 4, _keys(12, 4), **settings)
    few = _sample(model, tokenizer, PROMPTS * 4, _keys(12, 4), max_rows=2, **settings)
    alone = [
        _sample(model, tokenizer, [text], _keys(12, 4)[i : i + 1], **settings)[0]
        for i, text in enumerate(PROMPTS * 4)
    ]
    assert together == few == alone
    assert {c.truncated for c in chain(*together)} == {True, False}


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_rows_are_the_same_bits_whether_threads_split_rows_or_columns(tokenizer, threads):
    """Threads share the columns of few rows of a model this large; 96 rows and more they share out."""
    model = _model(hidden_size=256, intermediate_size=720, num_layers=4, num_heads=4, num_kv_heads=2)
    model.use_native(threads)
    keys = _keys(12, 8)
    together = _sample(model, tokenizer, PROMPTS * 4, keys, max_new_tokens=4)
    few = _sample(model, tokenizer, PROMPTS * 4, keys, max_new_tokens=4, max_rows=5)
    alone = [
        _sample(model, tokenizer, [text], keys[i : i + 1, :1], max_new_tokens=4)[0][0]
        for i, text in enumerate(PROMPTS)
    ]
    assert together == few
    assert [group[0] for group in together[:3]] == alone


@pytest.mark.parametrize("settings", [{}, {"top_k": 5}])
def test_a_prompt_of_one_token(tokenizer, settings):
    """Its rows have no prompt in the cache; a sum over no tokens ended nowhere once."""
    model = _model()
    model.use_native(2)
    sampling = SamplingConfig(max_new_tokens=6, **settings)
    prompts = [[5], tokenizer.encode(PROMPTS[2])]
    (alone,) = generate(model, tokenizer, prompts[:1], _keys(1, 2), sampling, cell_dtype())
    together = list(generate(model, tokenizer, prompts, _keys(2, 2), sampling, cell_dtype()))
    assert together[0] == alone
    with torch.no_grad(), _engine_precision():
        ids = torch.tensor([[5, *alone[0].token_ids]])
        expected = model.logprobs(model.hidden(ids[:, :-1])[0], ids[0, 1:])[0]
    assert float((torch.tensor(alone[0].logprobs) - expected).abs().max()) < 2e-2


def test_draws_follow_the_model_distribution(tokenizer):
    model = _model()
    model.use_native(2)
    prompt, count = tokenizer.encode("Mia has"), 4000
    (group,) = generate(
        model,
        tokenizer,
        [prompt],
        _keys(1, count),
        SamplingConfig(max_new_tokens=1, max_rows=count),
        cell_dtype(),
    )
    observed = np.bincount([c.token_ids[0] for c in group], minlength=300) / count
    with torch.no_grad():
        expected = torch.softmax(model(torch.tensor([prompt]))[0, -1].float(), -1).numpy()
    assert (np.abs(observed - expected) < 5 * np.sqrt(expected * (1 - expected) / count) + 2e-3).all()


def test_the_same_draws_choose_the_same_tokens_as_plain_pytorch(tokenizer):
    """The first token of each sample depends on one rounding only: nearly all are equal."""
    model = _model()
    plain = _sample(model, tokenizer, PROMPTS, _keys(3, 100), torch.float32, max_new_tokens=1)
    model.use_native(1)
    native = _sample(model, tokenizer, PROMPTS, _keys(3, 100), max_new_tokens=1)
    same = [a.token_ids == b.token_ids for a, b in zip(chain(*plain), chain(*native), strict=True)]
    assert np.mean(same) > 0.95


@pytest.mark.skipif(not BF16, reason="the engine computes in float32 on this CPU")
def test_float32_stays_in_pytorch(tokenizer):
    model = _model()
    plain = _sample(model, tokenizer, PROMPTS, _keys(3, 4), torch.float32)
    model.use_native(1)
    assert _sample(model, tokenizer, PROMPTS, _keys(3, 4), torch.float32) == plain
    ids = torch.arange(2, 30)[None]
    with torch.no_grad():
        assert model.hidden(ids).dtype == torch.float32
        expected = token_logprobs(model(ids)[:, :-1], ids[:, 1:])[0]
        torch.testing.assert_close(model.logprobs(model.hidden(ids)[0, :-1], ids[0, 1:])[0], expected)


def test_muon_equals_torch_up_to_rounding():
    shapes = [(64, 96), (96, 64), (64, 64), (32, 64)]
    generator = torch.Generator().manual_seed(0)
    start = [torch.randn(shape, generator=generator) for shape in shapes]
    gradients = [[torch.randn(shape, generator=generator) for shape in shapes] for _ in range(4)]

    def trained(optimizer_class):
        parameters = [torch.nn.Parameter(value.clone()) for value in start]
        optimizer = optimizer_class(parameters, lr=0.1, weight_decay=0.1, adjust_lr_fn="original")
        for some in gradients:
            for parameter, gradient in zip(parameters, some, strict=True):
                parameter.grad = gradient
            optimizer.step()
        return parameters, optimizer.state_dict()

    ours, our_state = trained(NativeMuon)
    theirs, their_state = trained(torch.optim.Muon)
    for before, mine, other in zip(start, ours, theirs, strict=True):
        mine, other = mine.detach(), other.detach()
        assert float((mine - other).norm() / (other - before).norm()) < 0.02
    assert our_state["param_groups"] == their_state["param_groups"]
    for index, state in their_state["state"].items():
        torch.testing.assert_close(our_state["state"][index]["momentum_buffer"], state["momentum_buffer"])


def test_orthogonal_factor_has_singular_values_near_one():
    matrices = [
        torch.randn(64, 160, generator=torch.Generator().manual_seed(1)),
        torch.randn(160, 32, generator=torch.Generator().manual_seed(2)),
    ]
    expected = [u @ vh for u, _, vh in (torch.linalg.svd(m, full_matrices=False) for m in matrices)]
    orthogonalise(matrices, 5, (3.4445, -4.7750, 2.0315), 1e-7, 2)
    for factor, exact in zip(matrices, expected, strict=True):
        values = torch.linalg.svdvals(factor)
        assert 0.6 < float(values.min()) <= float(values.max()) < 1.3
        assert float((factor * exact).sum() / (factor.norm() * exact.norm())) > 0.98


@pytest.mark.slow
@pytest.mark.skipif(BF16, reason="this CPU has the units; the tests above ran in bf16")
def test_bf16_cells_pass_the_same_tests_without_bf16_units():
    """The sources that AVX-512-BF16 compiles, on AVX2: only the arithmetic of one product step differs."""
    root = Path(__file__).parents[2]
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-n0",
        "-p",
        "tests.model.bf16_everywhere",
        str(Path(__file__)),
    ]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout[-2000:]
    assert " passed" in done.stdout


def test_scaled_rope_runs_in_c():
    model = _model(rope_scaling=RopeScaling(kind="llama3", factor=8.0, original_max_positions=32))
    plain = _model()
    ids, ranges = torch.arange(3, 104)[None], AttentionRanges.causal(1, 100)
    weights = torch.ones(100)
    exact, _, _ = _logprobs_and_gradients(model, ids, ranges, weights, autocast=False)
    other, _, _ = _logprobs_and_gradients(plain, ids, ranges, weights, autocast=False)
    model.use_native(1)
    native, _, _ = _logprobs_and_gradients(model, ids, ranges, weights, autocast=BF16)
    far = float((native - exact).norm() / exact.norm())
    assert far < (1e-2 if BF16 else 1e-5)
    assert float((other - exact).norm() / exact.norm()) > 2 * far


def test_a_model_that_c_does_not_take_runs_in_pytorch_and_a_line_says_so(capsys):
    _say_plain.cache_clear()
    runtime = Runtime(torch.device("cpu"), cell_dtype(), 1, False, native=True)
    model = _model(hidden_size=72)
    speed_up(model, runtime)
    assert model.native is None
    assert "multiples of 16" in why_unfit(model.config)
    said = " ".join(capsys.readouterr().err.split())
    assert "runs in PyTorch, not in the engine in C: widths 72, 96, 18 are not all multiples of 16" in said
