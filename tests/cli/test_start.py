"""What a command loads: torch only where it computes with torch, tables only where it reads tables."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from echochamber.cli.app import app
from echochamber.study.execute import open_study
from echochamber.study.recipe import load_recipe

RESULTS = Path(__file__).resolve().parents[2] / "results" / "paper-nano"
TORCH = {"torch", "transformers"}
TABLES = {"polars", "numpy", "matplotlib", "jinja2"}
SETTINGS = {"pydantic", "yaml", "rich"}
"""Of recipes and of their tables."""
RUN = """
import json, sys
from echochamber.cli.app import main
try:
    main()
except SystemExit as stop:
    status = stop.code or 0
else:
    status = 0
print(json.dumps([status, sorted(sys.modules)]))
"""


def start(*arguments):
    """(exit status, top-level packages that the command loaded)."""
    status, modules = modules_of(*arguments)
    return status, {name.partition(".")[0] for name in modules}


def modules_of(*arguments):
    """(exit status, modules that the command loaded)."""
    ended = subprocess.run(
        [sys.executable, "-c", RUN, *map(str, arguments)], capture_output=True, text=True, check=True
    )
    return json.loads(ended.stdout.splitlines()[-1])


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["--help"], 0),
        (["study", "--help"], 0),
        (["recipes"], 0),
        (["show", "paper-nano"], 0),
        (["show", "smok"], 2),
        (["show", "smoke", "rl.grpo.lr=1"], 2),
        (["study", "smoke", "seeds=[0,0]"], 2),
    ],
)
@pytest.mark.medium
def test_recipes_are_read_and_refused_without_torch_and_tables(arguments, status):
    ended, loaded = start(*arguments)
    assert ended == status
    assert not loaded & (TORCH | TABLES)


def test_help_loads_no_settings_and_no_command():
    """Modules, not seconds, which depend on the machine: 0.12 s where a bare Python takes 0.04."""
    status, loaded = modules_of("--help")
    assert status == 0
    assert not {name.partition(".")[0] for name in loaded} & SETTINGS
    ours = {name for name in loaded if name.startswith("echochamber")}
    assert ours <= {
        "echochamber",
        "echochamber.cli",
        "echochamber.cli.app",
        "echochamber.cli.commands",
        "echochamber.core",
        *(f"echochamber.core.{name}" for name in ("errors", "panics", "storage", "version")),
    }
    assert len(loaded) <= 200


def test_a_recipe_is_shown_without_what_draws_and_grades():
    """0.56 s, of which typer and pydantic take half."""
    status, loaded = modules_of("show", "paper-nano")
    assert status == 0
    assert not {"re2", "pydantic_monty", "multiprocessing"} & set(loaded)
    assert not [name for name in loaded if name.startswith("echochamber.data.world.draw")]
    assert len(loaded) <= 420


def test_texts_are_graded_without_the_sandbox_of_programs(tmp_path):
    line = json.dumps({"id": 1, "completion": "\\boxed{9}", "reference": "9"})
    (tmp_path / "in.jsonl").write_text(line + "\n")
    status, loaded = modules_of("grade", "--in", tmp_path / "in.jsonl", "--out", tmp_path / "out.jsonl")
    assert status == 0
    assert "pydantic_monty" not in loaded


def test_the_list_of_commands_says_what_each_command_says_of_itself():
    for name, lazy in typer.main.get_command(app).commands.items():
        command = lazy.load()
        assert command.name == name
        assert " ".join(command.help.split("\n\n")[0].split()) == lazy.help


@pytest.mark.medium
def test_a_study_folder_is_reported_and_judged_without_torch(tmp_path):
    open_study(load_recipe("smoke"), tmp_path)[1].write()
    for arguments in (["report", tmp_path], ["ledger", tmp_path], ["clean", tmp_path]):
        status, loaded = start(*arguments)
        assert status == 0, arguments
        assert not loaded & (TORCH | {"matplotlib"}), arguments


@pytest.mark.medium
def test_claims_are_judged_from_tables_without_torch_and_the_reading_of_studies():
    status, loaded = modules_of("ledger", RESULTS)
    assert status == 0
    assert not {name.partition(".")[0] for name in loaded} & (TORCH | {"matplotlib", "jinja2", "yaml"})
    assert not {"echochamber.analysis.study_folder", "echochamber.study.user_modules"} & set(loaded)


def test_completions_are_graded_without_torch(tmp_path):
    (tmp_path / "in.jsonl").write_text(
        json.dumps({"id": 1, "completion": "\\boxed{9}", "reference": "9"}) + "\n"
    )
    status, loaded = start("grade", "--in", tmp_path / "in.jsonl", "--out", tmp_path / "out.jsonl")
    assert status == 0
    assert json.loads((tmp_path / "out.jsonl").read_text())["correct"] is True
    assert not loaded & (TORCH | TABLES)


def test_a_plan_with_finished_stages_is_estimated_without_torch(tmp_path):
    graph, _ = open_study(load_recipe("smoke"), tmp_path)
    graph.store.build(graph.nodes["tokenizer"].spec, lambda folder: None)
    shards = next(node for node in graph.nodes.values() if node.kind == "shards")
    folder = graph.store.build(shards.spec, lambda folder: None)
    (folder / "sittings.json").write_text("[[0, 2.5]]")
    status, loaded = start("study", "smoke", "--dry-run", "--out", tmp_path)
    assert status == 0
    assert not loaded & (TORCH | TABLES)


def test_the_package_is_imported_without_anything():
    code = "import sys, echochamber; print(sorted({name.partition('.')[0] for name in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert not any(f"'{name}'" in loaded for name in (*TORCH, *TABLES, "pydantic", "yaml"))


def test_the_list_of_commands_cuts_no_sentence_and_names_each_argument_once(run):
    lines = run("--help")[1].splitlines()
    assert not [line for line in lines if line.endswith("...")][1:]  # the first is the usage line
    usage = run("study", "--help")[1].splitlines()[0]
    assert usage.count("KEY=VALUE") == 1
    assert "]...]" not in usage
    assert "......" not in run("compare", "--help")[1] + usage


def complete(*words):
    """What a shell is offered for the last word."""
    environment = os.environ | {
        "_ECHOCHAMBER_COMPLETE": "complete_bash",
        "COMP_WORDS": " ".join(words),
        "COMP_CWORD": str(len(words) - 1),
    }
    code = "import sys; sys.argv[0] = 'echochamber'; from echochamber.cli.app import main; main()"
    made = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    return made.stdout.split()


@pytest.mark.medium
def test_a_shell_completes_commands_options_and_recipes():
    assert complete("echochamber", "stat") == ["status"]
    assert complete("echochamber", "ledger", "--ta") == ["--tables"]
    assert complete("echochamber", "study", "quick") == ["quickstart"]
    assert complete("echochamber", "show", "paper-1") == ["paper-10m", "paper-150m", "paper-1b"]
    assert complete("echochamber", "show", "./mine") == []  # the shell then offers files
