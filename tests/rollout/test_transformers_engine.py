"""Models of transformers through the whole laboratory: trained, saved, reloaded, evaluated, GRPO."""

import json

import numpy as np
import polars as pl
import pytest
import torch
from transformers import AutoModelForCausalLM

from echochamber.core.metrics import read_metrics
from echochamber.core.random import key
from echochamber.core.types import Problem
from echochamber.model.checkpoint import save_checkpoint
from echochamber.model.load_model import load_model
from echochamber.model.runtime import RuntimeConfig, start_runtime
from echochamber.model.sampling import SamplingConfig
from echochamber.model.transformers_sampler import Way
from echochamber.rl.config import RLConfig
from echochamber.rl.loop import rl
from echochamber.rollout.engines import NativeEngine, TransformersEngine, start_engine
from echochamber.rollout.sample_and_grade import Labels
from echochamber.stages.evaluate import EvaluateConfig, Target, evaluate
from tests.model.conftest import CORPUS, tiny_model, tokenizer  # noqa: F401
from tests.model.foreign import FAMILIES, foreign_folder
from tests.model.test_transformers_model import families

PROBLEMS = [
    Problem(str(i), f"Mia has {i} boxes of 3 pens. How many pens?", str(3 * i), "all", "train")
    for i in range(4)
]
PROMPTS = [CORPUS[7], "How", "pens? 4 * 5 = 20."]


def _runtime(**settings):
    return start_runtime(RuntimeConfig(threads=1, compile="off", dtype="float32", **settings))


def _keys(count, group, seed=0):
    return np.array([[key(seed, p, g) for g in range(group)] for p in range(count)], dtype=np.uint64)


def _engine(kind, tokenizer, folder, **settings):  # noqa: F811
    model, its_tokenizer = load_model(foreign_folder(kind, tokenizer, folder), _runtime())
    return start_engine(model, its_tokenizer, SamplingConfig(**settings), _runtime(), "")


def _equal_its_own_logprobs(folder, rollouts, prompts):
    """Stored sums of log-probabilities are those of the model's own forward pass."""
    theirs = AutoModelForCausalLM.from_pretrained(folder)
    for prompt, (token_ids, logprobs) in zip(prompts, rollouts, strict=True):
        ids = torch.tensor([[*prompt, *token_ids]])
        with torch.no_grad():
            expected = torch.log_softmax(theirs(ids[:, :-1]).logits, -1).gather(2, ids[:, 1:, None])[0, :, 0]
        torch.testing.assert_close(torch.tensor(logprobs), expected[len(prompt) - 1 :], atol=2e-5, rtol=2e-5)


@pytest.mark.parametrize("kind", families(FAMILIES, quick=("gpt2",)))
@pytest.mark.medium
def test_sft_then_evaluation_then_grpo(kind, tokenizer, tmp_path):  # noqa: F811
    base, runtime = foreign_folder(kind, tokenizer, tmp_path / "base"), _runtime()
    demonstrations = tmp_path / "demonstrations.jsonl"
    lines = [{"question": p.question, "completion": f"\\boxed{{{p.reference}}}"} for p in PROBLEMS]
    demonstrations.write_text("\n".join(map(json.dumps, lines)))
    shared = {
        "optimizer": {"lr": 1e-3},
        "checkpoints": {"count": 1},
        "prompts_per_step": 4,
        "max_new_tokens": 12,
    }

    (tmp_path / "sft").mkdir()
    sft = RLConfig(algorithm="sft", completions=str(demonstrations), steps=3, samples_per_prompt=1, **shared)
    rl(sft, 0, base, PROBLEMS, tmp_path / "sft", runtime)
    losses = [row["policy/loss"] for row in read_metrics(tmp_path / "sft" / "metrics.jsonl")]
    assert losses[2] < losses[0]
    tuned = tmp_path / "sft" / "checkpoints" / "step_3"
    assert type(AutoModelForCausalLM.from_pretrained(tuned)) is type(
        AutoModelForCausalLM.from_pretrained(base)
    )

    (tmp_path / "scores").mkdir()
    target = Target(3, tuned, 2)
    config = EvaluateConfig(samples=2, max_new_tokens=12)
    evaluate(config, [target], {"all": PROBLEMS}, tmp_path / "scores", runtime, Labels("sft", 0))
    records = pl.read_parquet(tmp_path / "scores" / "records.parquet")
    assert len(records) == 3 * len(PROBLEMS)
    assert records["num_tokens"].max() > 0

    (tmp_path / "grpo").mkdir()
    grpo = RLConfig(
        algorithm="grpo", reward="random", steps=1, samples_per_prompt=4, microbatch_tokens=256, **shared
    )
    rl(grpo, 0, tuned, PROBLEMS, tmp_path / "grpo", runtime)
    (row,) = read_metrics(tmp_path / "grpo" / "metrics.jsonl")
    assert row["sampler/logprob_diff"] < 1e-5
    assert row["policy/grad_norm"] > 0
    assert abs(row["policy/kl"]) < 1e-6, "the base itself"
    before, after = (
        load_model(path, runtime)[0].weights()
        for path in (tuned, tmp_path / "grpo" / "checkpoints" / "step_1")
    )
    assert any(not torch.equal(before[name], after[name]) for name in before)

    model, its_tokenizer = load_model(tmp_path / "grpo" / "checkpoints" / "step_1", runtime)
    engine = start_engine(model, its_tokenizer, SamplingConfig(max_new_tokens=12), runtime, "\n\n")
    prompts = engine.encode([problem.question for problem in PROBLEMS])
    written = [group[0] for group in engine.sample(prompts, _keys(len(PROBLEMS), 1))]
    _equal_its_own_logprobs(
        tmp_path / "grpo" / "checkpoints" / "step_1", [(c.token_ids, c.logprobs) for c in written], prompts
    )


def test_ppo_has_a_critic_on_its_hidden_states(tokenizer, tmp_path):  # noqa: F811
    base, runtime = foreign_folder("gpt_neox", tokenizer, tmp_path / "base"), _runtime()
    for trunk in ("own", "shared"):
        folder = tmp_path / trunk
        folder.mkdir()
        config = RLConfig(
            algorithm="ppo",
            reward="random",
            steps=2,
            prompts_per_step=2,
            samples_per_prompt=2,
            max_new_tokens=8,
            critic={"trunk": trunk},
            kl={"coef": 0.01, "estimator": "exact", "place": "loss"},
        )
        rl(config, 0, base, PROBLEMS, folder, runtime)
        rows = read_metrics(folder / "metrics.jsonl")
        assert all(np.isfinite(row["critic/loss"]) and row["sampler/logprob_diff"] < 1e-5 for row in rows)


@pytest.mark.parametrize("settings", [{"top_k": 5, "max_rows": 3}, {"stop": ("e",)}, {"temperature": 0}])
def test_every_way_of_sampling_gives_the_same_completions(settings, tokenizer, tmp_path):  # noqa: F811
    """Whatever runs beside a row, too: prompts alone, or three rows at once."""
    engine = _engine("gpt2", tokenizer, tmp_path, max_new_tokens=12, **settings)
    engine.model.causal.transformer.ln_f.bias.data += 0.3 * engine.model.causal.lm_head.weight.data[0]
    prompts = [tokenizer.encode(text) for text in PROMPTS]
    assert engine.way == Way(cached=True, padded=True)
    expected = list(engine.sample(prompts, _keys(3, 4)))
    ids = [[c.token_ids for c in group] for group in expected]
    for way in (Way(True, False), Way(False, False)):
        engine.way = way
        found = list(engine.sample(prompts, _keys(3, 4)))
        assert [[c.token_ids for c in group] for group in found] == ids
        assert [[c.text for c in group] for group in found] == [[c.text for c in g] for g in expected]
    for completion in (c for group in expected for c in group):
        assert completion.truncated == (
            len(completion.token_ids) == 12
            and completion.token_ids[-1] != tokenizer.eos_id
            and not any(
                text in tokenizer.decode_batch([completion.token_ids])[0] for text in settings.get("stop", ())
            )
        )


def test_draws_are_those_of_the_native_engine(tokenizer, tmp_path):  # noqa: F811
    """A Llama under both engines: the same streams choose the same tokens."""
    save_checkpoint(tmp_path, tiny_model("llama"), tokenizer)
    prompts, texts = [tokenizer.encode(text) for text in PROMPTS], []
    for name, kind in (("native", NativeEngine), ("transformers", TransformersEngine)):
        runtime = _runtime(engine=name, native="off")
        model, its_tokenizer = load_model(tmp_path, runtime)
        engine = start_engine(model, its_tokenizer, SamplingConfig(max_new_tokens=16), runtime, "")
        assert isinstance(engine, kind)
        texts.append([[c.token_ids for c in group] for group in engine.sample(prompts, _keys(3, 8))])
    assert texts[0] == texts[1]


def test_greedy_text_is_that_of_generate(tokenizer, tmp_path):  # noqa: F811
    engine = _engine("gemma2", tokenizer, tmp_path, max_new_tokens=24, temperature=0)
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path)
    prompts = [tokenizer.encode(text) for text in PROMPTS]
    for prompt, (completion,) in zip(prompts, engine.sample(prompts, _keys(3, 1)), strict=True):
        ids = torch.tensor([prompt])
        written = theirs.generate(
            ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=24
        )
        assert completion.token_ids == tuple(written[0, len(prompt) :].tolist())


def test_sync_takes_other_weights(tokenizer, tmp_path):  # noqa: F811
    engine = _engine("gpt2", tokenizer, tmp_path, max_new_tokens=8)
    prompts = [tokenizer.encode("Mia has")]
    before = list(engine.sample(prompts, _keys(1, 4)))
    engine.sync(engine.model.weights())
    assert list(engine.sample(prompts, _keys(1, 4))) == before
    engine.sync({name: 1.3 * value for name, value in engine.model.weights().items()})
    assert list(engine.sample(prompts, _keys(1, 4))) != before
