"""An engine is a protocol: RL and evaluation run with one that shares no code with the native engine."""

import numpy as np
import polars as pl
import pytest
import torch

from echochamber.core.errors import UserError
from echochamber.core.metrics import read_metrics
from echochamber.core.types import Completion, Problem
from echochamber.model.checkpoint import save_checkpoint
from echochamber.model.runtime import RuntimeConfig, start_runtime
from echochamber.model.sampling import SamplingConfig
from echochamber.rl.config import RLConfig
from echochamber.rl.loop import rl
from echochamber.rollout.engines import NativeEngine, engine_row, register_engine, start_engine
from echochamber.rollout.sample_and_grade import Labels
from echochamber.stages.evaluate import EvaluateConfig, Target, evaluate
from echochamber.study.recipe import Recipe
from tests.model.conftest import tiny_model, tokenizer  # noqa: F401

PROBLEMS = [
    Problem(str(i), f"Mia has {i} boxes of 3 pens. How many pens?", str(3 * i), "all", "train")
    for i in range(4)
]


class CannedEngine:
    """Answers every prompt with the same words; even samples are right for the first problem only."""

    instances: list["CannedEngine"] = []

    def __init__(self, model, its_tokenizer, sampling, runtime, prompt_suffix):
        self.tokenizer, self.sampling, self.prompt_suffix = its_tokenizer, sampling, prompt_suffix
        self.synced: list[torch.Tensor] = []
        self.instances.append(self)

    def encode(self, questions):
        return self.tokenizer.encode_batch([question + self.prompt_suffix for question in questions])

    def sample(self, prompts, stream_keys):
        return (group for _, group in self.sample_as_finished(prompts, stream_keys))

    def sample_as_finished(self, prompts, stream_keys):
        for index in range(len(prompts)):
            yield index, [self._completion(g) for g in range(stream_keys.shape[1])]

    def sync(self, weights):
        self.synced.append(weights["model.embed_tokens.weight"].clone())

    def _completion(self, sample):
        text = f"How many boxes? \\boxed{{{3 * (sample % 2)}}}"
        ids = (*self.tokenizer.encode(text), self.tokenizer.eos_id)
        return Completion(text, ids, (-1.0,) * len(ids), False)


@pytest.fixture(scope="module", autouse=True)
def canned():
    """Registered once per process: a taken name is refused."""
    register_engine("canned", CannedEngine)


@pytest.fixture
def base(tmp_path, tokenizer):  # noqa: F811
    save_checkpoint(tmp_path / "step_1", tiny_model("llama"), tokenizer)
    return tmp_path / "step_1"


def _runtime(engine):
    return start_runtime(RuntimeConfig(threads=1, compile="off", dtype="float32", engine=engine))


def test_rl_samples_from_the_engine_that_the_runtime_names(base, tmp_path):
    CannedEngine.instances.clear()
    config = RLConfig(
        steps=2, prompts_per_step=4, samples_per_prompt=4, max_new_tokens=24, optimizer={"lr": 1e-2}
    )
    (tmp_path / "out").mkdir()
    rl(config, 0, base, PROBLEMS, tmp_path / "out", _runtime("canned"))
    texts = pl.read_parquet(tmp_path / "out" / "rollouts.parquet")["text"]
    assert set(texts) == {"How many boxes? \\boxed{0}", "How many boxes? \\boxed{3}"}
    metrics = read_metrics(tmp_path / "out" / "metrics.jsonl")
    # 0 and 3 are the answers of two of the four problems, each given by half of the samples.
    assert [row["reward/mean"] for row in metrics] == [0.25, 0.25]
    (engine,) = CannedEngine.instances
    first, second = engine.synced
    assert not torch.equal(first, second), "each step hands over the weights that it samples from"


def test_evaluation_scores_what_the_engine_writes(base, tmp_path):
    config = EvaluateConfig(samples=4, max_new_tokens=24)
    (tmp_path / "out").mkdir()
    target = Target(1, base, 4)
    evaluate(config, [target], {"all": PROBLEMS}, tmp_path / "out", _runtime("canned"), Labels("base", 0))
    records = pl.read_parquet(tmp_path / "out" / "records.parquet")
    assert set(records["answer"]) == {"0", "3"}
    assert records.filter(pl.col("correct"))["problem_id"].unique().sort().to_list() == ["0", "1"]


def test_an_unknown_engine_lists_what_there_is():
    with pytest.raises(UserError, match=r"runtime\.engine 'vlmm' is not known; there are auto, native"):
        engine_row("vlmm")
    with pytest.raises(UserError, match="'vlmm' is not known; there are auto, native"):
        Recipe.parse(
            {"name": "x", "mixtures": {"a": {"sources": {"omi2": {}}}}, "runtime": {"engine": "vlmm"}}, "r"
        )


@pytest.mark.parametrize("name", ["auto", "native", "canned"])
def test_a_taken_name_is_refused(name):
    with pytest.raises(UserError, match="registered already"):
        register_engine(name, CannedEngine)


def test_the_default_engine_is_native_and_no_part_of_an_identity(tokenizer):  # noqa: F811
    engine = start_engine(tiny_model("llama"), tokenizer, SamplingConfig(), _runtime("auto"), "")
    assert isinstance(engine, NativeEngine)
    assert "engine" not in RuntimeConfig().identity()
    assert RuntimeConfig(engine="native").identity()["engine"] == "native"


def test_sync_copies_other_weights_in_place_and_leaves_shared_ones_alone(tokenizer):  # noqa: F811
    mine, other = tiny_model("llama", seed=0), tiny_model("llama", seed=1)
    engine = NativeEngine(mine, tokenizer, SamplingConfig(max_new_tokens=8), _runtime("auto"), "")
    expected = NativeEngine(other, tokenizer, SamplingConfig(max_new_tokens=8), _runtime("auto"), "")
    prompts, keys = [[5, 6, 7]], np.arange(4, dtype=np.uint64)[None]
    before = list(engine.sample(prompts, keys))
    engine.sync(mine.state_dict())
    assert list(engine.sample(prompts, keys)) == before
    engine.sync(other.state_dict())
    assert list(engine.sample(prompts, keys)) == list(expected.sample(prompts, keys)) != before
    assert mine.lm_head.weight.data_ptr() != other.lm_head.weight.data_ptr()
