"""LoRA arms: only the adapter is trained; checkpoints hold it alone and merged."""

import importlib.util

import pytest
import torch
from transformers import AutoModelForCausalLM

from echochamber.core.errors import UserError
from echochamber.core.metrics import read_metrics
from echochamber.core.types import Problem
from echochamber.model.adapter import AdapterConfig, add_adapter, weights_of
from echochamber.model.checkpoint import save_checkpoint
from echochamber.model.load_model import load_model, load_model_on
from echochamber.model.runtime import RuntimeConfig, start_runtime
from echochamber.model.transformer import Transformer
from echochamber.rl.config import RLConfig
from echochamber.rl.learner import start_learner
from echochamber.rl.loop import rl
from tests.model.conftest import tiny_model, tokenizer  # noqa: F401
from tests.model.foreign import foreign_folder

CPU = torch.device("cpu")
PROBLEMS = [
    Problem(str(i), f"Mia has {i} boxes of 3 pens. How many pens?", str(3 * i), "all", "train")
    for i in range(4)
]
needs_peft = pytest.mark.skipif(importlib.util.find_spec("peft") is None, reason="peft is not installed")
slow = [pytest.mark.slow, pytest.mark.filterwarnings("ignore"), needs_peft]


def _runtime(**settings):
    return start_runtime(RuntimeConfig(threads=1, compile="off", dtype="float32", **settings))


def _config(**settings):
    shared = {
        "steps": 2,
        "prompts_per_step": 2,
        "samples_per_prompt": 4,
        "max_new_tokens": 8,
        "reward": "random",
    }
    return RLConfig(
        optimizer={"lr": 1e-2},
        checkpoints={"count": 1},
        warmup_steps=0,
        **shared | {"adapter": {"rank": 4}} | settings,
    )


@pytest.mark.parametrize("kind", [pytest.param(k, marks=slow) for k in ("gpt2", "gemma2", "opt", "llama")])
def test_an_arm_trains_the_adapter_alone_and_saves_it_twice(kind, tokenizer, tmp_path):  # noqa: F811
    from peft import PeftModel

    base = tmp_path / "base"
    if kind == "llama":
        save_checkpoint(base, tiny_model("llama"), tokenizer)
    else:
        foreign_folder(kind, tokenizer, base)
    (tmp_path / "out").mkdir()
    rl(_config(), 0, base, PROBLEMS, tmp_path / "out", _runtime())
    rows = read_metrics(tmp_path / "out" / "metrics.jsonl")
    assert all(row["sampler/logprob_diff"] < 1e-5 and row["policy/grad_norm"] > 0 for row in rows)
    assert rows[1]["policy/kl"] != 0, "the second step samples from another policy"

    first, last = (tmp_path / "out" / "checkpoints" / name for name in ("step_0", "step_2"))
    ids = torch.arange(3, 33)[None]
    with torch.no_grad():
        untouched = AutoModelForCausalLM.from_pretrained(base)(ids).logits
        torch.testing.assert_close(AutoModelForCausalLM.from_pretrained(first)(ids).logits, untouched)
        merged = AutoModelForCausalLM.from_pretrained(last)(ids).logits
        assert not torch.allclose(merged, untouched, atol=1e-3)
        adapted = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), last / "adapter")
        torch.testing.assert_close(adapted(ids).logits, merged, atol=1e-5, rtol=1e-5)
        ours, _ = load_model(last, _runtime())
        torch.testing.assert_close(ours(ids), merged, atol=1e-5, rtol=1e-5)
    assert isinstance(ours, Transformer) == (kind == "llama"), "what is merged runs natively again"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@needs_peft
def test_only_the_adapters_of_policy_and_critic_are_trained(tokenizer, tmp_path):  # noqa: F811
    base = foreign_folder("gpt_neox", tokenizer, tmp_path)
    config = _config(algorithm="ppo", adapter={"rank": 2, "targets": ["query_key_value"]})
    learner, _ = start_learner(config, base, _runtime(), 3)
    for model in (learner.policy, learner.critic.trunk):
        trained = [name for name, p in model.named_parameters() if p.requires_grad]
        assert trained
        assert all("query_key_value.lora_" in name for name in trained)
    assert not any(p.requires_grad for p in learner.reference.parameters())
    merged, plain = weights_of(learner.policy), learner.reference.weights()
    assert merged.keys() == plain.keys()
    assert all(torch.equal(merged[name], plain[name]) for name in plain), "B is 0 at first"
    again, _ = start_learner(config, base, _runtime(), 3)
    other, _ = start_learner(config, base, _runtime(), 4)
    name = next(name for name, _ in learner.policy.named_parameters() if "lora_A" in name)
    values = [dict(one.policy.named_parameters())[name] for one in (learner, again, other)]
    assert torch.equal(values[0], values[1])
    assert not torch.equal(values[0], values[2])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@needs_peft
@pytest.mark.parametrize(
    ("targets", "words"), [(("nothing",), "nothing"), (("lm_head",), "shares the embeddings")]
)
def test_targets_that_cannot_have_an_adapter_are_one_line(targets, words, tokenizer, tmp_path):  # noqa: F811
    model, _ = load_model_on(foreign_folder("gpt2", tokenizer, tmp_path), CPU)
    with pytest.raises(UserError, match=words) as caught:
        add_adapter(model, AdapterConfig(rank=2, targets=targets), 0)
    assert "\n" not in str(caught.value)


def test_an_arm_without_an_adapter_has_the_key_that_it_had():
    assert "adapter" not in RLConfig().identity()
    assert _config().identity()["adapter"] == {"rank": 4, "alpha": None, "targets": []}


def test_what_does_not_go_together_is_one_line(tokenizer, tmp_path):  # noqa: F811
    with pytest.raises(UserError, match="restart: an adapter"):
        RLConfig.parse({"algorithm": "expert_iteration", "restart": True, "adapter": {"rank": 2}}, "rl")
    save_checkpoint(tmp_path, tiny_model("llama"), tokenizer)
    with pytest.raises(UserError, match=r"runtime\.engine is 'native'"):
        start_learner(_config(), tmp_path, _runtime(engine="native"))


def test_without_peft_a_line_says_what_to_install(tokenizer, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.setitem(__import__("sys").modules, "peft", None)
    with pytest.raises(UserError, match=r"pip install 'echochamber\[lora\]'"):
        start_learner(_config(), foreign_folder("gpt2", tokenizer, tmp_path), _runtime())
