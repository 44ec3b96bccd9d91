"""The console script as a user meets it: help, bad input, small jobs."""

import json

import pytest
import yaml

COMMANDS = [
    "study",
    "prepare",
    "pretrain",
    "rl",
    "evaluate",
    "probe",
    "report",
    "recipes",
    "show",
    "grade",
    "sample",
    "doctor",
    "status",
    "init",
    "compare",
    "track",
    "export",
    "ledger",
]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(run, command):
    status, out, _ = run(command, "--help")
    assert status == 0
    assert f"Example: echochamber {command}" in " ".join(out.split())


def test_recipes_are_listed_with_cost(run):
    status, out, _ = run("recipes")
    assert status == 0
    assert "quickstart" in out
    assert "two minutes" in " ".join(out.split())


def test_show_prints_every_key_and_takes_overrides(run):
    status, out, _ = run("show", "quickstart", "rl.grpo.temperature=0.7", "seeds=[3]")
    data = yaml.safe_load(out)
    assert status == 0
    assert data["rl"]["grpo"]["temperature"] == 0.7
    assert data["seeds"] == [3]
    assert data["rl"]["grpo"]["critic"]["lam"] == 0.95


def test_what_show_prints_is_a_recipe(run, tmp_path):
    _, out, _ = run("show", "quickstart")
    (tmp_path / "mine.yaml").write_text(out)
    status, again, err = run("show", tmp_path / "mine.yaml")
    assert (status, err) == (0, "")
    assert again == out


@pytest.mark.medium
def test_dry_run_names_every_stage_and_writes_nothing(run, tmp_path):
    status, out, _ = run("study", "quickstart", "--dry-run", "--out", tmp_path / "q")
    assert status == 0
    for kind in ("tokenizer", "problems", "shards", "pretrain", "rl", "evaluate"):
        assert f"  {kind}" in out
    assert "minutes" in out
    assert not (tmp_path / "q").exists()


def test_grade_writes_verdicts_in_order(run, tmp_path):
    rows = [
        {
            "id": 1,
            "completion": (
                "def simple_math_problem() -> int:\n    a = 6 * 3\n    result = a\n    return result"
            ),
            "reference": "18",
        },
        {"id": 2, "completion": "The total is $6 + 3 = 9$.\nThe answer is $\\boxed{9}$.", "reference": "18"},
        {"id": 3, "completion": "", "reference": "18"},
    ]
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    status, out, _ = run("grade", "--in", source, "--out", target)
    verdicts = [json.loads(line) for line in target.read_text().splitlines()]
    assert status == 0
    assert "3 completions graded, 1 correct" in out
    assert [v["id"] for v in verdicts] == [1, 2, 3]
    assert [v["outcome"] for v in verdicts] == ["correct", "wrong", "no_answer"]
    assert [v["format"] for v in verdicts] == ["tinygsm", "omi2", "other"]
    assert set(verdicts[0]) == {"id", "format", "answer", "outcome", "correct", "detail"}


def test_doctor_names_what_is_here(run):
    status, out, _ = run("doctor")
    assert status == 0
    for word in ("bf16", "compiler", "Monty", "cores"):
        assert word.lower() in out.lower()


def _folder_with(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text)
    return path


def _model(tmp_path):
    """A checkpoint folder as far as options are checked; which formats there are depends on where it lies."""
    return _folder_with(tmp_path, "config.json", "{}").parent


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (lambda t: ["study", t / "none.yaml"], ["none.yaml", "no such recipe"]),
        (lambda t: ["study", "quickstart", "seds=[1]"], ["seds", "seeds"]),
        (lambda t: ["study", "quickstart", "--executor", "pbs"], ["pbs", "local, ray and slurm"]),
        (lambda t: ["study", _folder_with(t, "bad.yaml", "name: [")], ["bad.yaml", "YAML"]),
        (
            lambda t: ["study", "smoke", "--out", _folder_with(t, "file", "x") / "sub"],
            ["file", "cannot be written"],
        ),
        (
            lambda t: ["evaluate", "--checkpoint", t / "none", "--problems", "easy"],
            ["none", "no such folder"],
        ),
        (lambda t: ["evaluate", "--checkpoint", t, "--problems", "easy"], ["neither a checkpoint"]),
        (
            lambda t: ["evaluate", "--checkpoint", "hub:nobody", "--problems", "easy"],
            ["hub:nobody", "hub:OWNER/NAME"],
        ),
        (lambda t: ["probe", "--checkpoint", t / "none", "--problems", "easy"], ["none", "no such folder"]),
        (
            lambda t: ["probe", "--checkpoint", _model(t), "--problems", "easy", "--formats", "tiny"],
            ["'tiny'", "tinygsm"],
        ),
        (
            lambda t: ["probe", "--checkpoint", _model(t), "--problems", "easy", "--temperatures", "hot"],
            ["temperatures", "hot"],
        ),
        (lambda t: ["sample", t, "How many?"], ["neither a checkpoint"]),
        (
            lambda t: ["grade", "--in", t / "none.jsonl", "--out", t / "out.jsonl"],
            ["none.jsonl", "cannot be read"],
        ),
        (
            lambda t: [
                "grade",
                "--in",
                _folder_with(t, "in.jsonl", '{"id": 1}\n'),
                "--out",
                t / "out.jsonl",
                "--strict",
            ],
            ["line 1", "completion"],
        ),
        (lambda t: ["report", t], [str(0)[:0], "study.json"]),
        (lambda t: ["show", "nothing"], ["nothing", "quickstart"]),
    ],
)
def test_bad_input_is_one_line_and_status_two(run, tmp_path, arguments, words):
    status, _, err = run(*arguments(tmp_path))
    assert status == 2, err
    assert "Traceback" not in err
    message = [line for line in err.splitlines() if line.startswith("echochamber: ")]
    assert len(message) == 1
    assert all(word in message[0] for word in words), message
    assert not (tmp_path / "out.jsonl").exists()


def test_a_problem_file_without_the_column_is_named(run, tmp_path):
    from echochamber.model.checkpoint import save_checkpoint
    from echochamber.model.tokenizer import train_tokenizer
    from tests.model.conftest import CORPUS, tiny_model

    save_checkpoint(tmp_path / "model", tiny_model("llama"), train_tokenizer(CORPUS, 300))
    problems = _folder_with(tmp_path, "problems.jsonl", '{"quest": "How many?", "answer": "3"}\n')
    status, _, err = run(
        "evaluate", "--checkpoint", tmp_path / "model", "--problems", problems, "--out", tmp_path / "out"
    )
    assert status == 2
    assert "problems.jsonl" in err
    assert "question" in err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("command", ["evaluate", "probe"])
def test_bad_rows_of_a_problem_file_stop_or_are_left_out_as_asked(run, tmp_path, command):
    from echochamber.model.checkpoint import save_checkpoint
    from echochamber.model.tokenizer import train_tokenizer
    from tests.model.conftest import CORPUS, tiny_model

    save_checkpoint(tmp_path / "model", tiny_model("llama"), train_tokenizer(CORPUS, 300))
    problems = _folder_with(
        tmp_path, "problems.jsonl", '{"question": "How many?", "answer": "3"}\n{"question": "Why?"}\nno\n'
    )
    more = ["--formats", "", "--temperatures", "0"] if command == "probe" else []
    arguments = [
        command,
        "--checkpoint",
        tmp_path / "model",
        "--problems",
        problems,
        "--samples",
        "1",
        "--max-new-tokens",
        "4",
        "--out",
        tmp_path / "out",
        *more,
    ]
    status, _, err = run(*arguments)
    assert status == 2
    assert "problems.jsonl, line 2: column 'answer'" in err
    assert "--on-bad-row skip" in err
    status, out, err = run(*arguments, "--on-bad-row", "skip")
    assert (status, "problems" in out) == (0, True), err
    assert "2 bad rows skipped; the first: " in err
    status, _, err = run(*arguments, "--on-bad-row", "ignore")
    assert status == 2
    assert "'ignore' is not known; there are error and skip" in err


def test_one_problem_has_numbers_and_no_intervals(run, tmp_path):
    from echochamber.model.checkpoint import save_checkpoint
    from echochamber.model.tokenizer import train_tokenizer
    from tests.model.conftest import CORPUS, tiny_model

    save_checkpoint(tmp_path / "model", tiny_model("llama"), train_tokenizer(CORPUS, 300))
    problems = _folder_with(tmp_path, "problems.jsonl", '{"question": "How many?", "answer": "3"}\n')
    arguments = ["--samples", "2", "--max-new-tokens", "5", "--out", tmp_path / "out"]
    status, out, _ = run("evaluate", "--checkpoint", tmp_path / "model", "--problems", problems, *arguments)
    assert status == 0
    assert "accuracy 0.0% [no interval]" in out
    assert "shortcut baselines, problems: not estimable, the checkpoint does not lie in a study" in out


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.medium
def test_a_bad_row_of_a_source_stops_its_stages_with_status_two(run, tmp_path, workers):
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"question": "1 + 1?", "code": "return 2"}\n{"question": 3}\n')
    source = f"mixtures.tg_omi2.sources.tinygsm.path={rows}"
    status, out, err = run("prepare", "smoke", source, "--out", tmp_path / "out", "--workers", workers)
    assert status == 2, err
    assert "rows.jsonl" in out + err
    assert "Traceback" not in out + err


def test_a_fault_of_the_machine_is_no_bad_input(tmp_path):
    from echochamber.study.execute import open_study
    from echochamber.study.recipe import load_recipe
    from echochamber.study.status import StageStatus

    _, status = open_study(load_recipe("smoke", []), tmp_path)
    assert status.exit_status == 0
    bad, broken = list(status.nodes)[:2]
    status.set(bad, StageStatus("failed", None, "rows.jsonl, line 2: no code", bad_input=True))
    assert status.exit_status == 2
    status.set(broken, StageStatus("failed", None, "its process was killed 4 times"))
    assert status.exit_status == 1
