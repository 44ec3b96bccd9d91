"""Arms side by side, on runs whose answer is known."""

import math

import pytest

from echochamber.analysis.questions.arms import arm_rows
from echochamber.analysis.runs import Run
from echochamber.analysis.stored_files import ManifestFile
from echochamber.analysis.study_folder import StoredStage

SET = ("all", "test")


def _summary(step, accuracy, shares, passed, voted):
    return {
        "problem_set": "all",
        "split": "test",
        "step": step,
        "accuracy": accuracy,
        "pass@k": {"8": passed},
        "maj@k": {"8": voted},
        "formats": {name: {"share": share, "accuracy": None} for name, share in shares.items()},
    }


def _run(**changes):
    rows = [
        _summary(0, 0.4, {"a": 0.5, "b": 0.5}, 0.9, 0.6),
        _summary(3, 0.7, {"a": 0.25, "b": 0.75, "c": 0.0}, 0.85, 0.8),
    ]
    shares = [0.5, 0.92, 0.75]
    dense = [
        {
            "step": i + 1,
            "format/a/share": 1 - s,
            "format/b/share": s,
            "num_completions": 10,
            "num_tokens": 100 * (i + 1),
            "policy/tokens": 50,
            "policy/kl": 0.1 * i,
            "policy/entropy": 0.3,
        }
        for i, s in enumerate(shares)
    ]
    node = StoredStage(
        id="rl",
        kind="rl",
        fingerprint="0",
        folder=None,
        partial=False,
        mixture="m",
        size="s",
        arm="grpo",
        seed=4,
        parents=(),
        status="done",
        seconds=None,
        error="",
        manifest=ManifestFile(),
    )
    return Run(
        **{
            "mixture": "m",
            "size": "s",
            "arm": "grpo",
            "seed": 4,
            "pretrain": None,
            "rl": node,
            "rows": rows,
            "dense": dense,
        }
        | changes
    )


def test_gains_costs_and_collapse():
    (row,) = arm_rows([_run()], SET).to_dicts()
    assert (row["arm"], row["seed"], row["winner"]) == ("grpo", 4, "b")
    assert row["gain"] == pytest.approx(0.3)
    assert row["pass_at_k_gain"] == pytest.approx(-0.05)
    assert row["maj_at_k"] == 0.8
    assert row["format_entropy"] == pytest.approx(-(0.25 * math.log(0.25) + 0.75 * math.log(0.75)))
    assert (row["steps_to_90"], row["completions_to_90"], row["completions"]) == (2, 20, 30)
    assert (row["generated_tokens"], row["fitted_tokens"]) == (600, 150)
    assert row["kl"] == pytest.approx(0.2)


def test_what_never_happened_or_is_not_there_is_null_or_left_out():
    never = [{"step": 1, "format/a/share": 0.9, "num_completions": 10}]
    (row,) = arm_rows([_run(dense=never)], SET).to_dicts()
    assert row["steps_to_90"] is None
    assert row["completions_to_90"] is None
    assert row["kl"] is None
    only_base = [_summary(0, 0.4, {"a": 1.0}, 0.9, 0.6)]
    assert len(arm_rows([_run(rows=only_base), _run(rl=None)], SET)) == 0
