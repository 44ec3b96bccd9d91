"""Exports: what the libraries load, what the cards say, and what a hub receives."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
import yaml

from echochamber.core.errors import UserError
from echochamber.study.cards import (
    as_yaml,
    check_repository,
    fenced,
    one_line,
    table,
    without_folders,
    words_without_folders,
)
from echochamber.study.checkpoints import find_checkpoint, hash_checkpoint
from echochamber.study.export import export
from echochamber.study.export_dataset import _split_name

from .hub_receiver import receive
from .tiny import records

TOKEN = "hf_aVerySecretToken"


def header_of(folder: Path) -> dict[str, object]:
    """The YAML header of a card."""
    _, header, _ = (folder / "README.md").read_text().split("---\n", 2)
    return yaml.safe_load(header)


def files_of(folder: Path) -> dict[str, bytes]:
    """Path -> content."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


@pytest.fixture(scope="module")
def dataset(smoke, tmp_path_factory) -> Path:
    """The smoke study, exported."""
    out = tmp_path_factory.mktemp("export") / "data"
    done = export(str(smoke), out)
    assert (done.kind, done.url) == ("dataset", None)
    assert done.rows["completions"] == len(records(smoke))
    return out


@pytest.fixture(scope="module")
def checkpoint(smoke) -> Path:
    """The last checkpoint of the smoke study's RL."""
    (artifact,) = (smoke / "artifacts").glob("rl-*")
    return find_checkpoint(artifact)


def test_the_tables_hold_every_completion_and_problem_with_its_place(smoke, dataset):
    rows = pl.read_parquet(dataset / "completions" / "*.parquet")
    stored = records(smoke)
    keys = ["arm", "seed", "step", "problem_id", "sample", "temperature"]
    assert rows.select(stored.columns).sort(keys).equals(stored.sort(keys))
    assert set(rows["stage"]) == {
        node["id"]
        for node in json.loads((smoke / "study.json").read_text())["nodes"]
        if node["kind"] == "evaluate"
    }
    problems = pl.read_parquet(dataset / "problems" / "*.parquet")
    per_problem = (
        stored.filter(pl.col("sample") >= 0)
        .group_by("step", "problem_id")
        .agg(pl.col("correct").sum().alias("expected"), pl.len().alias("all"))
    )
    joined = problems.join(per_problem, on=["step", "problem_id"])
    assert len(joined) == len(problems) == len(per_problem)
    assert (joined["num_correct"] == joined["expected"]).all()
    assert set(problems["question"]) == set(stored["question"])


def test_the_card_names_every_file_and_says_what_the_study_is(smoke, dataset):
    header = header_of(dataset)
    named = {file["path"] for config in header["configs"] for file in config["data_files"]}
    assert named == set(files_of(dataset)) - {"README.md"}
    assert [config["config_name"] for config in header["configs"]] == ["completions", "problems"]
    text = (dataset / "README.md").read_text()
    stored = json.loads((smoke / "study.json").read_text())
    for node in stored["nodes"]:
        if node["kind"] == "evaluate":
            assert node["folder"].removeprefix("artifacts/") in text.replace("\\_", "_")
    recipe = text.split("```yaml\n")[1].split("```")[0]
    assert yaml.safe_load(recipe)["rl"] == stored["recipe"]["rl"]


@pytest.mark.slow
def test_datasets_loads_the_folder(dataset, tmp_path):
    pytest.importorskip("datasets", reason="datasets is not installed; pip install 'echochamber[hub]'")
    ask = """
import json, sys, datasets
first = datasets.load_dataset(sys.argv[1])
second = datasets.load_dataset(sys.argv[1], "problems")
found = [{split: [len(rows), rows.column_names] for split, rows in one.items()} for one in (first, second)]
print(json.dumps(found))
"""
    environment = os.environ | {"HF_HOME": str(tmp_path / "cache"), "HF_HUB_OFFLINE": "1"}
    ran = subprocess.run(
        [sys.executable, "-c", ask, str(dataset)], env=environment, capture_output=True, text=True, check=True
    )
    for name, found in zip(("completions", "problems"), json.loads(ran.stdout), strict=True):
        assert set(found) == {path.stem for path in (dataset / name).glob("*.parquet")}
        for split, (length, columns) in found.items():
            frame = pl.read_parquet(dataset / name / f"{split}.parquet")
            assert (length, columns) == (len(frame), frame.columns)


def test_a_model_s_folder_loads_and_its_card_has_scores_and_fingerprints(smoke, checkpoint, tmp_path):
    transformers = pytest.importorskip("transformers")
    done = export(str(checkpoint), tmp_path / "model")
    assert done.kind == "model"
    ours, theirs = files_of(checkpoint), files_of(tmp_path / "model")
    card = theirs.pop("README.md").decode()
    assert theirs == ours
    assert header_of(tmp_path / "model")["library_name"] == "transformers"
    model = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "model")
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "model")
    assert model.get_input_embeddings().weight.shape[0] >= len(tokenizer)
    assert hash_checkpoint(checkpoint) in card
    (artifact,) = (smoke / "artifacts").glob("rl-*")
    assert artifact.name in card
    last = max(int(path.name[5:]) for path in artifact.glob("checkpoints/step_*"))
    scored = [
        row
        for path in (smoke / "artifacts").glob("evaluate-*/summary.json")
        for row in json.loads(path.read_text())
        if row["step"] == last
    ]
    assert scored
    for row in scored:
        assert f"| {row['accuracy']:.3f} |" in card
    for title in ("## Data", "## Recipe", "## Evaluation", "## Fingerprint", "## Use"):
        assert title in card
    assert "algorithm: grpo" in card
    assert str(smoke) not in card


def test_the_base_s_card_has_the_base_s_scores(smoke, tmp_path):
    (artifact,) = (smoke / "artifacts").glob("pretrain-*")
    export(str(artifact), tmp_path / "base")
    card = (tmp_path / "base" / "README.md").read_text()
    rows = [
        row
        for path in (smoke / "artifacts").glob("evaluate-*/summary.json")
        for row in json.loads(path.read_text())
        if row["step"] == 0
    ]
    assert rows
    assert any(f"| {row['accuracy']:.3f} |" in card for row in rows)
    assert "of pretraining with seed 0" in card


def test_a_checkpoint_outside_a_study_says_so(checkpoint, tmp_path):
    alone = tmp_path / "alone"
    alone.mkdir()
    for name, content in files_of(checkpoint).items():
        (alone / name).write_bytes(content)
    export(str(alone), tmp_path / "out")
    card = (tmp_path / "out" / "README.md").read_text()
    for said in (
        "No evaluation of this checkpoint is stored.",
        "No recipe is recorded",
        "No data is recorded",
    ):
        assert said in card


def test_a_link_in_a_checkpoint_is_refused_and_nothing_is_left(checkpoint, tmp_path):
    alone = tmp_path / "alone"
    alone.mkdir()
    for name, content in files_of(checkpoint).items():
        (alone / name).write_bytes(content)
    (tmp_path / "secret").write_text("key")
    (alone / "extra.json").symlink_to(tmp_path / "secret")
    with pytest.raises(UserError, match=r"extra\.json: is a link"):
        export(str(alone), tmp_path / "out")
    assert {path.name for path in tmp_path.iterdir()} == {"alone", "secret"}


def test_a_linked_folder_in_a_checkpoint_is_refused(checkpoint, tmp_path):
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "token.txt").write_text("key")
    alone = tmp_path / "alone"
    alone.mkdir()
    for name, content in files_of(checkpoint).items():
        (alone / name).write_bytes(content)
    (alone / "adapter").symlink_to(tmp_path / "secret")
    with pytest.raises(UserError, match="adapter: is a link"):
        export(str(alone), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_adapter_s_settings_do_not_say_where_its_base_lay(checkpoint, tmp_path):
    alone = tmp_path / "alone"
    (alone / "adapter").mkdir(parents=True)
    for name, content in files_of(checkpoint).items():
        (alone / name).write_bytes(content)
    settings = {"r": 4, "base_model_name_or_path": "/home/jane/base"}
    (alone / "adapter" / "adapter_config.json").write_text(json.dumps(settings))
    export(str(alone), tmp_path / "out")
    found = json.loads((tmp_path / "out" / "adapter" / "adapter_config.json").read_text())
    assert found == settings | {"base_model_name_or_path": ".."}


def test_the_folder_written_to_is_no_link_and_may_be_this_one(checkpoint, tmp_path, monkeypatch):
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(UserError, match="link: is a link"):
        export(str(checkpoint), tmp_path / "link")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    export(str(checkpoint.absolute()), Path())
    assert (tmp_path / "here" / "model.safetensors").is_file()


def test_a_folder_with_content_is_not_written_into(smoke, tmp_path):
    (tmp_path / "mine").write_text("kept")
    with pytest.raises(UserError, match="not empty; choose another folder with --to"):
        export(str(smoke), tmp_path)
    assert (tmp_path / "mine").read_text() == "kept"


def test_a_study_without_evaluations_has_nothing_to_export(tmp_path):
    study = tmp_path / "study"
    study.mkdir()
    (study / "study.json").write_text(json.dumps({"name": "empty", "nodes": []}))
    with pytest.raises(UserError, match="no finished evaluation can be read"):
        export(str(study), tmp_path / "out")
    assert not (tmp_path / "out").exists()


PUSH = """
import sys
from echochamber.cli import main
sys.argv = ["echochamber", *sys.argv[1:]]
main()
"""


def push(place: Path, out: Path, endpoint: str, home: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own: the library reads its endpoint and token once."""
    environment = os.environ | {
        "HF_ENDPOINT": endpoint,
        "HF_TOKEN": TOKEN,
        "HF_HOME": str(home),
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }
    command = [sys.executable, "-c", PUSH, "export", str(place), "--to", str(out), "--push", "owner/name"]
    return subprocess.run([*command, *more], env=environment, capture_output=True, text=True, check=False)


needs_hub = pytest.mark.skipif(
    importlib.util.find_spec("huggingface_hub") is None, reason="huggingface_hub is not installed"
)


@needs_hub
@pytest.mark.parametrize(("kind", "public"), [("dataset", False), ("model", True)])
@pytest.mark.medium
def test_a_hub_receives_the_folder_and_the_token_is_in_no_file_or_line(
    smoke, checkpoint, tmp_path, kind, public
):
    place, out = smoke if kind == "dataset" else checkpoint, tmp_path / "out"
    with receive() as got:
        ran = push(place, out, got.endpoint, tmp_path / "hf", *(["--public"] if public else []))
    assert ran.returncode == 0, ran.stderr
    assert f"Pushed: {got.endpoint}/owner/name/commit/1" in ran.stdout
    (made,) = got.created
    assert (made["name"], made["organization"]) == ("name", "owner")
    assert (made.get("type", "model"), made["visibility"] == "public") == (kind, public)
    assert got.files == files_of(out)
    assert got.tokens == {f"Bearer {TOKEN}"}
    assert TOKEN not in ran.stdout + ran.stderr
    assert not any(TOKEN.encode() in content for content in files_of(tmp_path).values())


@needs_hub
@pytest.mark.medium
def test_a_refused_push_is_one_line_without_the_token(checkpoint, tmp_path):
    with receive(refuse=True) as got:
        ran = push(checkpoint, tmp_path / "out", got.endpoint, tmp_path / "hf")
    assert ran.returncode == 2
    (line,) = ran.stderr.splitlines()
    assert "was written, but cannot be pushed to owner/name" in line
    assert TOKEN not in ran.stdout + ran.stderr
    assert (tmp_path / "out" / "README.md").is_file()


@needs_hub
def test_without_a_token_nothing_is_written(checkpoint, tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    with pytest.raises(UserError, match="no token of the hub is set"):
        export(str(checkpoint), tmp_path / "out", push="owner/name")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["owner", "owner/", "/name", "a/b/c", "a b/c", "../name", "owner/..", "ä/b"])
def test_a_repository_s_name_is_checked(name):
    with pytest.raises(UserError, match="expected OWNER/NAME"):
        check_repository(name)
    check_repository("my-org/some_set.v2")


def test_cards_hold_any_text():
    hostile = "a\n```\n# no heading | <b>"
    assert fenced(hostile, "yaml").startswith("````yaml\n")
    assert fenced(hostile, "yaml").endswith("\n````")
    assert one_line(hostile) == "a \\`\\`\\` \\# no heading \\| \\<b\\>"
    assert table(["a"], [[hostile], [0.5], [None]]).count("\n") == 4
    assert yaml.safe_load(as_yaml({"name": "--- x: [", "n": 1})) == {"name": "--- x: [", "n": 1}


def test_folders_of_this_machine_stay_here():
    given = {
        "modules": ["/home/me/own.py"],
        "base": "runs/x",
        "system": "/no_think",
        "n": 3,
        "w": "C:\\a\\b.py",
    }
    shown = {"modules": ["own.py"], "base": "runs/x", "system": "/no_think", "n": 3, "w": "b.py"}
    assert without_folders(given) == shown
    assert words_without_folders("report it with /tmp/a/b.txt now") == "report it with b.txt now"
    assert without_folders({"ask": "Q: 3/4 of /a/b is"}) == {"ask": "Q: 3/4 of /a/b is"}
    assert without_folders("/think step by step, a/b") == "/think step by step, a/b"


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("/home/jane doe/x.jsonl", "x.jsonl"),
        ("file:///home/jane/x", "file://x"),
        ("path=/home/jane/y", "path=y"),
        ("~/data/z.csv", "z.csv"),
        ("hub:owner/name@abc", "hub:owner/name@abc"),
        ("https://example.org/a/b", "https://example.org/a/b"),
        ("runs/a/b", "runs/a/b"),
    ],
)
def test_absolute_paths_are_cut_wherever_they_stand(given, shown):
    assert without_folders(given) == shown
    assert "/home" not in words_without_folders(f"cannot read ('{given}': no such file)")


def test_splits_are_plain_names():
    assert [_split_name(name) for name in ("test", "", "../x", "dev-2", "ä")] == [
        "test",
        "all",
        "x",
        "dev_2",
        "all",
    ]
