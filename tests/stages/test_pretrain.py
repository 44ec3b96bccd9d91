"""Pretraining: learns, repeats to the byte, and goes on after a cut as if nothing had happened."""

import pytest
import torch
from safetensors.torch import load_file

from echochamber.core.errors import UserError
from echochamber.core.metrics import read_metrics
from echochamber.data.mixture import MixtureConfig
from echochamber.data.world import WorldConfig
from echochamber.model.native.library import cell_dtype, why_not
from echochamber.model.runtime import RuntimeConfig, start_runtime
from echochamber.stages import pretrain as stage
from echochamber.stages.prepare import TokenizerConfig, prepare_shards, prepare_tokenizer

WORLD = WorldConfig(
    families=["shopping"],
    operations=(1, 2),
    max_value=50,
    wordings=1,
    vocabulary=3,
    number_words=0,
    irrelevant_facts=0,
)
CONFIG = stage.PretrainConfig(
    size="nano-0.2m",
    sequence_length=64,
    max_positions=128,
    batch_tokens=512,
    tokens=6144,
    checkpoints=3,
    optimizer={"name": "muon", "lr": 3e-3},
)
PRECISIONS = {torch.bfloat16: ("bfloat16", 2e-2), torch.float32: ("float32", 1e-3)}
"""Runtime precision per operand type of the engine in C, and how far its losses may lie from PyTorch's."""


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Tokenizer and shards of a small mixture."""
    root = tmp_path_factory.mktemp("data")
    for name in ("tokenizer", "shards"):
        (root / name).mkdir()
    prepare_tokenizer(TokenizerConfig(vocab_size=300, documents=100), WORLD, root / "tokenizer")
    mixture = MixtureConfig.parse(
        {"budget_tokens": "20K", "sources": {"tinygsm": {"copies": 1}, "omi2": {"copies": 1}}}, "test"
    )
    prepare_shards(mixture, WORLD, "\n\n", 0, root / "tokenizer", root / "shards")
    return root


def _run(data, folder, config=CONFIG, seed=0):
    folder.mkdir(exist_ok=True)
    runtime = start_runtime(RuntimeConfig(threads=1, compile="off", dtype="float32"))
    stage.pretrain(config, seed, data / "shards", data / "tokenizer", folder, runtime)
    return {
        name: (folder / name).read_bytes()
        for name in ("metrics.jsonl", "checkpoints/step_12/model.safetensors")
    }


def test_loss_falls_and_checkpoints_are_log_spaced(data, tmp_path):
    _run(data, tmp_path / "a")
    losses = [row["loss"] for row in read_metrics(tmp_path / "a" / "metrics.jsonl")]
    assert len(losses) == 12
    assert losses[-1] < losses[0] - 1
    assert sorted(path.name for path in (tmp_path / "a" / "checkpoints").iterdir()) == [
        "step_1",
        "step_12",
        "step_3",
    ]


def test_further_steps_are_kept_where_they_are_reached(data, tmp_path):
    _run(data, tmp_path / "a", CONFIG.model_copy(update={"checkpoints": 1, "keep_steps": (5, 7, 99)}))
    assert sorted(path.name for path in (tmp_path / "a" / "checkpoints").iterdir()) == [
        "step_12",
        "step_5",
        "step_7",
    ]


@pytest.mark.medium
def test_same_seed_same_bytes(data, tmp_path):
    first = _run(data, tmp_path / "a")
    assert _run(data, tmp_path / "b") == first
    assert _run(data, tmp_path / "c", seed=1) != first


@pytest.mark.parametrize("cut_at", [1, 7, 11])
@pytest.mark.medium
def test_cut_and_continued_ends_in_the_same_bytes(data, tmp_path, monkeypatch, cut_at):
    whole = _run(data, tmp_path / "whole")
    schedule = stage.warmup_cosine
    with monkeypatch.context() as patch:
        patch.setattr("echochamber.core.resume.ResumePoint.due", lambda self: True)

        def cut(step, *rest):
            if step == cut_at:
                raise KeyboardInterrupt
            return schedule(step, *rest)

        patch.setattr(stage, "warmup_cosine", cut)
        with pytest.raises(KeyboardInterrupt):
            _run(data, tmp_path / "cut")
    steps = []
    with monkeypatch.context() as patch:
        patch.setattr(stage, "warmup_cosine", lambda step, *rest: steps.append(step) or schedule(step, *rest))
        assert _run(data, tmp_path / "cut") == whole
    assert steps == list(range(cut_at, 12))


def test_masking_across_documents_changes_what_is_learned(data, tmp_path):
    plain = _run(data, tmp_path / "a")
    masked = _run(data, tmp_path / "b", CONFIG.model_copy(update={"mask_documents": True}))
    assert masked != plain
    losses = [row["loss"] for row in read_metrics(tmp_path / "b" / "metrics.jsonl")]
    assert losses[-1] < losses[0] - 1


def test_weights_are_a_function_of_the_seed():
    first, again, other = (stage.new_model(CONFIG, 300, seed) for seed in (0, 0, 1))
    assert all((a == b).all() for a, b in zip(first.parameters(), again.parameters(), strict=True))
    assert any((a != b).any() for a, b in zip(first.parameters(), other.parameters(), strict=True))


def test_compute_in_bf16_keeps_weights_in_float32(data, tmp_path):
    tmp_path.joinpath("a").mkdir()
    runtime = start_runtime(RuntimeConfig(threads=1, compile="off", dtype="bfloat16"))
    config = CONFIG.model_copy(update={"batch_tokens": 256, "tokens": 512, "checkpoints": 1})
    stage.pretrain(config, 0, data / "shards", data / "tokenizer", tmp_path / "a", runtime)
    state = load_file(tmp_path / "a" / "checkpoints" / "step_2" / "model.safetensors")
    assert {str(value.dtype) for value in state.values()} == {"torch.float32"}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"batch_tokens": 500}, ["pretrain.batch_tokens", "500", "64"]),
        ({"batch_tokens": 64_000, "tokens": None}, ["less than one batch"]),
    ],
)
def test_sizes_that_do_not_fit_are_named(data, tmp_path, changes, words):
    with pytest.raises(UserError) as caught:
        _run(data, tmp_path / "a", CONFIG.model_copy(update=changes))
    assert all(word in str(caught.value) for word in words)


@pytest.mark.skipif(why_not() is not None, reason="the engine in C does not run here")
@pytest.mark.medium
def test_losses_are_those_of_plain_pytorch(data, tmp_path):
    """In the engine's precision on this CPU, step by step, on masked documents and in microbatches."""
    config = CONFIG.model_copy(update={"mask_documents": True, "microbatch_tokens": 256, "checkpoints": 1})
    precision, tolerance = PRECISIONS[cell_dtype()]
    losses = {}
    for native in ("on", "off"):
        runtime = start_runtime(RuntimeConfig(threads=2, compile="off", dtype=precision, native=native))
        (tmp_path / native).mkdir()
        stage.pretrain(config, 0, data / "shards", data / "tokenizer", tmp_path / native, runtime)
        losses[native] = [row["loss"] for row in read_metrics(tmp_path / native / "metrics.jsonl")]
        timing = read_metrics(tmp_path / native / "timing.jsonl")
        assert all(0 < row["peak_share"] < 1 for row in timing)
    assert losses["on"] == pytest.approx(losses["off"], abs=tolerance)
