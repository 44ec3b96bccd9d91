"""`rl --base`: the arms of a recipe on a checkpoint that the recipe did not pretrain."""

import json
import signal
import sys

import pytest

import echochamber as ec
from echochamber.analysis.runs import find_runs
from echochamber.analysis.study_folder import load_study
from echochamber.cli import main
from echochamber.core.jsonl import write_jsonl
from echochamber.core.manifest import read_manifest
from echochamber.core.metrics import read_metrics
from echochamber.model.checkpoint import save_checkpoint
from echochamber.model.tokenizer import load_tokenizer
from echochamber.rl import loop as rl_stage
from echochamber.rl import sampling as gather
from echochamber.study.checkpoints import find_checkpoint
from echochamber.study.cost import describe_plan
from echochamber.study.recipe import load_recipe
from echochamber.study.train_from_checkpoint import train_from_checkpoint
from tests.model.conftest import tiny_model, tokenizer  # noqa: F401
from tests.model.foreign import foreign_folder
from tests.rl.rank_runs import start_ranks

pytestmark = pytest.mark.medium

SMALL = [
    "rl.grpo.max_new_tokens=10",
    "rl.grpo.reward=random",
    "rl.grpo.optimizer.lr=1e-2",
    "runtime.dtype=float32",
]


SCORED = [
    "evaluate.max_new_tokens=10",
    "evaluate.count=2",
    "evaluate.samples={ends: 1, between: 0}",
    "world.families=[shopping]",
    "world.operations=[1,1]",
    "probe=null",
]


@pytest.fixture
def base(tmp_path, tokenizer):  # noqa: F811
    save_checkpoint(tmp_path / "base", tiny_model("llama"), tokenizer)
    return tmp_path / "base"


@pytest.fixture
def problems(tmp_path):
    path = tmp_path / "train.jsonl"
    write_jsonl(
        path,
        [
            {"question": f"Mia has {i} boxes of 3 pens. How many pens?", "answer": str(3 * i)}
            for i in range(6)
        ],
    )
    return path


@pytest.fixture
def settings(problems):
    return [f"rl.grpo.problems.set={problems}", *SMALL]


def _payload(folder):
    """Files of an artifact that are functions of its settings, as bytes."""
    paths = [
        folder / "metrics.jsonl",
        folder / "rollouts.parquet",
        *folder.glob("checkpoints/*/model.safetensors"),
    ]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def test_every_arm_and_seed_starts_from_the_checkpoint_and_a_second_call_reads(
    base, settings, tmp_path, monkeypatch
):
    changes = [
        *settings,
        "seeds=[0,1]",
        "rl.still={inherits: grpo, optimizer: {lr: 0}, steps: 1}",
        "grid.exclude=[{rl: still, seed: 1}]",
    ]
    recipe = load_recipe("smoke", [*changes, "behaviours={named: {of: tinygsm, contains: Mia}}"])
    first = train_from_checkpoint(recipe, base, tmp_path / "out")
    assert [(arm.arm, arm.seed, len(arm.steps), arm.was_done) for arm in first] == [
        ("grpo", 0, 3, False),
        ("grpo", 1, 3, False),
        ("still", 0, 1, False),
    ]
    weights = (base / "model.safetensors").read_bytes()
    for arm in first:
        assert (arm.folder / "checkpoints" / "step_0" / "model.safetensors").read_bytes() == weights
        assert (arm.folder / "checkpoints" / "step_0" / "tokenizer.json").read_bytes() == (
            base / "tokenizer.json"
        ).read_bytes()
        assert "format/named/share" in arm.steps[0], "the recipe's own behaviours are tracked"
        assert read_manifest(arm.folder)["seeds"] == {"seed": arm.seed}
    ends = [find_checkpoint(arm.folder) for arm in first]
    assert [path.name for path in ends] == ["step_3", "step_3", "step_1"], (
        "evaluate and sample find the last checkpoint"
    )
    assert [(path / "model.safetensors").read_bytes() == weights for path in ends] == [False, False, True], (
        "a rate of 0 changes nothing"
    )
    monkeypatch.setattr(rl_stage, "rl", None)
    assert train_from_checkpoint(recipe, base, tmp_path / "out") == [
        arm._replace(was_done=True) for arm in first
    ]


def test_what_a_result_depends_on_makes_another_artifact(base, settings, problems, tmp_path):
    recipe = load_recipe("smoke", [*settings, "rl.grpo.steps=1"])
    folders = [arm.folder for arm in train_from_checkpoint(recipe, base, tmp_path / "out")]
    save_checkpoint(base, tiny_model("llama", seed=1), load_tokenizer(base))
    folders += [arm.folder for arm in train_from_checkpoint(recipe, base, tmp_path / "out")]
    problems.write_text(problems.read_text().replace("Mia", "Ben"))
    folders += [arm.folder for arm in train_from_checkpoint(recipe, base, tmp_path / "out")]
    assert len(set(folders)) == 3


def test_stopped_by_ctrl_c_the_same_call_ends_in_the_same_bytes(base, settings, tmp_path, monkeypatch):
    recipe = load_recipe("smoke", settings)
    (whole,) = train_from_checkpoint(recipe, base, tmp_path / "whole")
    # A process that was started in the background ignores the signal until told otherwise.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    collect, calls = gather.collect, []

    def interrupted(*args):
        calls.append(1)
        if len(calls) == 2:
            signal.raise_signal(signal.SIGINT)
        return collect(*args)

    with monkeypatch.context() as patch:
        patch.setattr(gather, "collect", interrupted)
        with pytest.raises(KeyboardInterrupt):
            train_from_checkpoint(recipe, base, tmp_path / "cut")
    assert not list((tmp_path / "cut" / "artifacts").glob("rl-*")), "what is unfinished is not published"
    continued = []
    monkeypatch.setattr(gather, "collect", lambda *args: continued.append(1) or collect(*args))
    (finished,) = train_from_checkpoint(recipe, base, tmp_path / "cut")
    assert 1 <= len(continued) < 3
    assert _payload(finished.folder) == _payload(whole.folder)


def _command(monkeypatch, capsys, *arguments):
    monkeypatch.setattr(sys, "argv", ["echochamber", "rl", "smoke", *map(str, arguments)])
    status = 0
    try:
        main()
    except SystemExit as stop:
        status = stop.code or 0
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_the_command_says_where_the_checkpoints_are_and_what_came_out(
    base, settings, tmp_path, monkeypatch, capsys
):
    arguments = ["--base", base, *settings, *SCORED, "--out", tmp_path / "out"]
    status, out, _ = _command(monkeypatch, capsys, *arguments)
    (folder,) = (tmp_path / "out" / "artifacts").glob("rl-*")
    assert status == 0
    assert "grpo, seed 0: 3 steps\n" in out
    assert f"Checkpoints: {folder / 'checkpoints'}" in out
    assert out.count("16 completions: mean reward 0.") == 2
    assert out.count("formats no known format 100.0%") == 2
    assert f"Report: {tmp_path / 'out' / 'report.html'}" in out
    status, again, _ = _command(monkeypatch, capsys, *arguments)
    assert status == 0
    assert "Nothing to do: all 6 stages are done." in again
    assert set(out.splitlines()) <= set(again.splitlines())


def test_it_is_a_study_with_page_summary_and_both_ends_of_each_seed(
    base, settings, tmp_path, monkeypatch, capsys
):
    arguments = ["--base", base, *settings, *SCORED, "seeds=[0,1]", "claims=[1]", "--out", tmp_path / "out"]
    status, _, err = _command(monkeypatch, capsys, *arguments)
    assert status == 0, err
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert [(arm["arm"], arm["seed"]) for arm in summary["arms"]] == [("grpo", 0), ("grpo", 1)]
    assert summary["missing"] == []
    ends = [[row["step"] for row in run.rows] for run in find_runs(load_study(tmp_path / "out"))]
    assert ends == [[0, 3], [0, 3]], "each seed has the base's evaluation and that of its last checkpoint"
    assert summary["base"]["seeds_found"] == 2
    page = (tmp_path / "out" / "report.html").read_text()
    assert "All runs start from one given checkpoint." in page
    study = json.loads((tmp_path / "out" / "study.json").read_text())
    assert sorted(node["kind"] for node in study["nodes"]) == sorted(
        ["base", "problems", "problems", "evaluate", *["rl", "evaluate"] * 2]
    ), "the base is the same for both seeds and is scored once"
    (scored,) = (node for node in study["nodes"] if node["kind"] == "evaluate" and node["arm"] is None)
    assert (scored["id"], scored["seed"]) == ("evaluate/base/given/base", None)
    assert study["recipe"]["claims"] == [], "the paper's claims are about its mixtures"
    (kept,) = (tmp_path / "out" / "artifacts").glob("base-*")
    assert (kept / "checkpoints" / "step_0" / "model.safetensors").read_bytes() == (
        base / "model.safetensors"
    ).read_bytes()
    recipe = load_recipe("smoke", [*settings, *SCORED, "seeds=[0,1]", f"base={base}"])
    assert "base/base" in describe_plan(recipe, tmp_path / "new", 1)
    assert all(arm.was_done for arm in train_from_checkpoint(recipe, base, tmp_path / "out"))


def _renamed(problems, name):
    (problems.parent / name).write_text(problems.read_text())
    return problems.parent / name


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (lambda base, problems: ["--base", base / "none"], ["none", "no such folder"]),
        (lambda base, problems: ["--base", base.parent], ["neither a checkpoint"]),
        (lambda base, problems: ["--base", "hub:nobody"], ["hub:nobody", "hub:OWNER/NAME"]),
        (
            lambda base, problems: [
                "--base",
                base,
                f"rl.grpo.problems.set={_renamed(problems, 'test.jsonl')}",
            ],
            ["test.jsonl", "is a test split"],
        ),
        (
            lambda base, problems: [
                "--base",
                base,
                f"rl.grpo.problems.set={_renamed(problems, 'gsm8k_test.jsonl')}",
            ],
            ["gsm8k_test.jsonl", "is a test split"],
        ),
        (
            lambda base, problems: ["--base", base, "rl.grpo.problems.set=hub:math500"],
            ["math500", "never trained on"],
        ),
        (
            lambda base, problems: ["--base", base, "rl.grpo.problems.set=none.jsonl"],
            ["none.jsonl", "no such file"],
        ),
        (
            lambda base, problems: ["--base", base, "rl.grpo.max_new_tokens=128"],
            ["max_new_tokens 128", "the model has 128"],
        ),
        (lambda base, problems: ["--base", base, "grid.exclude=[{rl: grpo}]"], ["no RL arm", "grpo"]),
        (lambda base, problems: ["--base", base, "rl.grpo.stepz=1"], ["stepz", "steps"]),
    ],
)
def test_bad_input_is_one_line_and_status_two(
    base, problems, settings, tmp_path, monkeypatch, capsys, more, words
):
    status, _, err = _command(
        monkeypatch, capsys, *settings, *SCORED, *more(base, problems), "--out", tmp_path / "out"
    )
    assert status == 2, err
    message = [line for line in err.splitlines() if line.startswith("echochamber: ") or "failed " in line]
    assert len(message) == 1, err
    assert all(word in message[0] for word in words), message
    assert not list(tmp_path.glob("out/artifacts/rl-*"))


@pytest.mark.slow
def test_two_ranks_train_as_one(base, settings, tmp_path):
    arguments = [
        "-m",
        "echochamber",
        "rl",
        "smoke",
        "--base",
        str(base),
        *settings,
        *SCORED,
        "seeds=[0,1]",
        "--out",
        str(tmp_path / "two"),
    ]
    start_ranks(2, *arguments)
    start_ranks(2, *arguments)  # everything is there: the rank that follows is let go
    one = train_from_checkpoint(load_recipe("smoke", [*settings, "seeds=[0,1]"]), base, tmp_path / "one")
    for arm in one:
        both = read_metrics(tmp_path / "two" / "artifacts" / arm.folder.name / "metrics.jsonl")
        assert [row["reward/mean"] for row in both] == [row["reward/mean"] for row in arm.steps]
        assert [row["policy/grad_norm"] for row in both] == pytest.approx(
            [row["policy/grad_norm"] for row in arm.steps], rel=1e-3
        )


def test_a_base_of_another_family_runs_through_transformers_and_its_key_says_so(
    settings,
    tmp_path,
    tokenizer,  # noqa: F811
    capsys,
):
    base = foreign_folder("gpt2", tokenizer, tmp_path / "gpt2")
    recipe = load_recipe("smoke", [*settings, "rl.grpo.steps=1"])
    (arm,) = train_from_checkpoint(recipe, base, tmp_path / "out")
    assert "engine transformers" in capsys.readouterr().err
    assert read_manifest(arm.folder)["config"]["runtime"]["engine"] == "transformers"
    (again,) = train_from_checkpoint(recipe, base, tmp_path / "out")
    assert again.was_done
    problems = str(tmp_path / "train.jsonl")
    settings = {"samples": 1, "max_new_tokens": 8, "limit": 2, "out": tmp_path / "scores"}
    scored = ec.evaluate(arm.folder, problems, **settings)
    assert "engine transformers" in capsys.readouterr().err
    assert read_manifest(scored.folder)["config"]["runtime"]["engine"] == "transformers"
    assert scored.rows[0]["num_problems"] == 2
    (one,) = ec.sample(arm.folder, "How many pens?", 1, max_new_tokens=4)
    assert one.truncated
