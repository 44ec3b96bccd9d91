"""Split weights (FSDP2) on two gloo ranks: the same training, state for any number of ranks, one folder."""

import json

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from echochamber.core.metrics import read_metrics
from echochamber.core.resume_record import resume_damage
from echochamber.model.checkpoint import load_checkpoint
from tests.rl.rank_runs import PRETRAIN, SHARDED, SHARDED_MUON, prepare, run_sharded, start_ranks

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """`one`: a single process; `sharded`, `sharded-muon` and `cut` (broken off in step 7): two ranks."""
    root = tmp_path_factory.mktemp("shard")
    prepare(root / "data")
    plain = SHARDED.model_copy(update={"shard": False})
    assert plain == PRETRAIN["adamw"]
    run_sharded(root / "data", root / "one", plain)
    run_sharded(root / "data", root / "one-muon", SHARDED_MUON.model_copy(update={"shard": False}))
    start_ranks(2, "-m", "tests.rl.rank_runs", str(root / "data"), str(root / "sharded"), "sharded")
    return root


def _losses(folder):
    return [row["loss"] for row in read_metrics(folder / "metrics.jsonl")]


def test_the_loss_curve_is_that_of_one_process(runs):
    assert len(_losses(runs / "sharded")) == 12
    np.testing.assert_allclose(_losses(runs / "sharded"), _losses(runs / "one"), atol=1e-4, rtol=0)


def test_muon_sees_whole_matrices(runs):
    # Two steps: the second loss is that of weights which Muon has changed. Rows that were orthogonalised
    # apart would be far off.
    np.testing.assert_allclose(_losses(runs / "sharded-muon"), _losses(runs / "one-muon"), atol=1e-3, rtol=0)


def test_export_is_one_folder_that_transformers_loads(runs):
    folder = runs / "sharded" / "checkpoints" / "step_12"
    theirs, (ours, _) = AutoModelForCausalLM.from_pretrained(folder), load_checkpoint(folder)
    one, _ = load_checkpoint(runs / "one" / "checkpoints" / "step_12")
    token_ids = torch.arange(12)[None]
    with torch.no_grad():
        torch.testing.assert_close(ours(token_ids), theirs(token_ids).logits, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(ours(token_ids), one(token_ids), atol=1e-2, rtol=0)
    assert not list(folder.glob("*.distcp"))


def test_state_of_two_ranks_goes_on_with_one(runs):
    resume = runs / "cut" / "resume"
    assert len(list((resume / "sharded-6").glob("*.distcp"))) == 2
    assert len(_losses(runs / "cut")) == 7
    recorded = json.loads((resume / "state.json").read_text())["files"]
    assert len([name for name in recorded if name.startswith("resume/sharded-6/")]) == 3
    assert resume_damage(runs / "cut", pytest.fail) is None
    run_sharded(runs / "data", runs / "cut")
    assert len(_losses(runs / "cut")) == 12
    np.testing.assert_allclose(_losses(runs / "cut"), _losses(runs / "one"), atol=1e-4, rtol=0)
