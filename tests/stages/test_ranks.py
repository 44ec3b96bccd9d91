"""Two ranks train what one process trains."""

import re

import numpy as np
import polars as pl
import pytest
from safetensors.torch import load_file

from echochamber.core.metrics import read_metrics
from echochamber.model.ranks import Ranks
from tests.rl.rank_runs import PRETRAIN, RL, prepare, run_all, start_ranks


@pytest.mark.parametrize(("count", "world"), [(7, 2), (1, 3), (0, 2), (12, 4)])
def test_shares_cover_everything_once_and_are_even(count, world):
    shares = [range(count)[Ranks(rank, world).part(count)] for rank in range(world)]
    assert [i for share in shares for i in share] == list(range(count))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_one_rank_passes_everything_through():
    alone, data = Ranks(), [1.0, float("nan")]
    assert alone.gather(data)[0] is data
    assert alone.from_main(data) is data
    assert [alone.any(flag) for flag in (True, False)] == [True, False]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """The same runs by one process and by two ranks."""
    root = tmp_path_factory.mktemp("ranks")
    prepare(root / "data")
    run_all(root / "data", root / "one")
    start_ranks(2, "-m", "tests.rl.rank_runs", str(root / "data"), str(root / "two"))
    return root / "one", root / "two"


def _weights_apart(one, two):
    steps = sorted(path.name for path in (one / "checkpoints").iterdir())
    assert steps == sorted(path.name for path in (two / "checkpoints").iterdir())
    pairs = [
        [load_file(folder / "checkpoints" / step / "model.safetensors") for folder in (one, two)]
        for step in steps
    ]
    return max(float((a[name] - b[name]).abs().max()) for a, b in pairs for name in a)


@pytest.mark.slow
def test_pretraining_has_the_same_loss_curve(runs):
    one, two = (read_metrics(folder / "adamw" / "metrics.jsonl") for folder in runs)
    assert len(one) == len(two) == 12
    assert [row["tokens"] for row in one] == [row["tokens"] for row in two]
    np.testing.assert_allclose([r["loss"] for r in one], [r["loss"] for r in two], atol=1e-4, rtol=0)
    assert _weights_apart(*(folder / "adamw" for folder in runs)) < 1e-3


@pytest.mark.slow
def test_ranks_that_split_where_microbatches_do_give_the_same_bytes(runs):
    # The only difference left is who computes which microbatch; Muon rounds to bf16 and would show any other.
    one, two = (folder / "muon" for folder in runs)
    assert (one / "metrics.jsonl").read_bytes() == (two / "metrics.jsonl").read_bytes()
    assert _weights_apart(one, two) == 0
    assert PRETRAIN["muon"].batch_tokens == 2 * PRETRAIN["muon"].microbatch_tokens


@pytest.mark.slow
@pytest.mark.parametrize("arm", RL)
def test_rl_has_the_same_rewards_and_weights(runs, arm):
    one, two = (read_metrics(folder / arm / "metrics.jsonl") for folder in runs)
    assert len(one) == len(two) == 3
    for mine, theirs in zip(one, two, strict=True):
        assert mine.keys() == theirs.keys()
        for name in (
            "reward/mean",
            "reward/frac_zero_std",
            "num_completions",
            "num_counted",
            "num_tokens",
            "policy/updates",
            "policy/tokens",
        ):
            assert mine[name] == theirs[name], name
        for name, value in mine.items():
            close = pytest.approx(theirs[name], rel=1e-3, abs=1e-4) if theirs[name] is not None else None
            assert value == close, name
    rollouts = [pl.read_parquet(folder / arm / "rollouts.parquet") for folder in runs]
    assert rollouts[0].drop("logprob").equals(rollouts[1].drop("logprob"))
    assert 0 < _weights_apart(runs[0] / arm, runs[1] / arm) < 1e-3 or arm == "expert_iteration"


@pytest.mark.slow
def test_only_rank_zero_writes(runs):
    for name in (*PRETRAIN, *RL):
        files = [
            # A chunk's name holds the digest of weights, whose last bits depend on the number of ranks.
            sorted(
                re.sub("_[0-9a-f]{16}_", "_", str(p.relative_to(folder / name)))
                for p in (folder / name).rglob("*")
                if p.is_file()
            )
            for folder in runs
        ]
        assert files[0] == files[1]
