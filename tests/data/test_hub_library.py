"""The real `datasets` library against a loopback server with the hub's paths.

Covers layouts, traps, and what goes wrong. Needs the extra [hub]. The library reads its endpoint once, at
import, so each test asks in a process of its own.
"""

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from echochamber.data.hub import HUB_SETS
from echochamber.data.problem_sets import load_problems

from .hub_server import serve_hub

pytest.importorskip(
    "datasets", reason="the real library is not installed; pip install 'echochamber[hub]' to run these tests"
)
zstandard = pytest.importorskip(
    "zstandard", reason="zstandard is not installed; it is part of 'echochamber[hub]'"
)
pytestmark = pytest.mark.slow

ASK = """
import json, sys
from echochamber.core.errors import UserError
from echochamber.data.hub import PREFIX
from echochamber.data.local_sources import RowSource
from echochamber.data.problem_sets import load_problems
from echochamber.data.source_config import SourceConfig

answers = []
for name, split, revision in json.loads(sys.argv[1]):
    try:
        if split == "train":
            source = RowSource("real", SourceConfig(hub=name, revision=revision))
            answers.append([[d.question, d.solution] for d in source.documents()])
        else:
            found = load_problems(PREFIX + name + (f"@{revision}" if revision else ""))
            answers.append([[p.question, p.reference, p.problem_set] for p in found])
    except UserError as error:
        answers.append(str(error))
print(json.dumps(answers))
"""


def ask(
    tmp_path: Path,
    repositories: dict[str, dict[str, bytes]],
    commit: str,
    *wanted: tuple[str, str, str | None],
) -> tuple[list[Any], list[str]]:
    """What each (set, split, revision) gives, and the paths that the server was asked for."""
    with serve_hub(repositories, commit) as (endpoint, asked):
        environment = os.environ | {
            "HF_ENDPOINT": endpoint,
            "HF_HOME": str(tmp_path / "cache"),
            "HF_HUB_DISABLE_TELEMETRY": "1",
        }
        ran = subprocess.run(
            [sys.executable, "-c", ASK, json.dumps(wanted)],
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout.splitlines()[-1]), asked


def parquet(rows: list[dict[str, Any]]) -> bytes:
    stream = io.BytesIO()
    pl.DataFrame(rows).write_parquet(stream)
    return stream.getvalue()


def json_lines(rows: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def samples(folder: Path, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "samples" / name).read_text(encoding="utf-8").splitlines()]


def commit_of(name: str) -> str:
    commit = HUB_SETS[name].revision
    assert commit is not None
    return commit


def test_openmathinstruct2_is_read_once_though_parts_of_it_lie_beside_it(
    tmp_path: Path, shared_data: Path
) -> None:
    rows, commit = samples(shared_data, "openmathinstruct2.jsonl"), commit_of("openmathinstruct2")
    files = {
        "data/train-00000-of-00002.parquet": parquet(rows[:60]),
        "data/train-00001-of-00002.parquet": parquet(rows[60:]),
    }
    files |= {f"data/train_{size}M-00000-of-00001.parquet": parquet(rows[:50]) for size in (1, 2, 5)}
    (found,), asked = ask(
        tmp_path, {"nvidia/OpenMathInstruct-2": files}, commit, ("openmathinstruct2", "train", None)
    )
    assert found == [[row["problem"].strip(), row["generated_solution"].strip("\n")] for row in rows]
    assert not any("resolve" in path and "train_" in path for path in asked)


def test_algebraic_stack_is_read_without_its_script_and_with_metadata_of_every_shape(tmp_path: Path) -> None:
    first = [
        {"text": "def f(): pass", "meta": {"stars": 3}},
        {"text": "lemma x", "meta": {"stars": "many", "paths": ["a"]}},
    ]
    second = [{"text": "int y;", "meta": {"repo": {"name": "r"}}}]
    files = {
        "proof-pile-2.py": b"raise SystemExit('the script ran')\n",
        "algebraic-stack/train/agda0000.jsonl.zst": zstandard.compress(json_lines(first)),
        "algebraic-stack/train/c0000.jsonl.zst": zstandard.compress(json_lines(second)),
        "algebraic-stack/test/c0000.jsonl.zst": zstandard.compress(
            json_lines([{"text": "never", "meta": {}}])
        ),
        "arxiv/train/a.jsonl.zst": zstandard.compress(json_lines([{"text": "another set", "meta": {}}])),
    }
    (found,), asked = ask(
        tmp_path,
        {"EleutherAI/proof-pile-2": files},
        commit_of("algebraic-stack"),
        ("algebraic-stack", "train", None),
    )
    assert found == [["", row["text"]] for row in first + second]
    assert not any("proof-pile-2.py" in path for path in asked)


def test_json_arrays_json_lines_and_filtered_rows(tmp_path: Path, shared_data: Path) -> None:
    rows = samples(shared_data, "metamathqa.jsonl")
    files = {"MetaMathQA-395K.json": json.dumps(rows).encode()}
    (found,), _ = ask(
        tmp_path, {"meta-math/MetaMathQA": files}, commit_of("metamathqa"), ("metamathqa", "train", None)
    )
    assert [question for question, _ in found] == [row["query"].strip() for row in rows]
    commit = "1" * 40
    rows = samples(shared_data, "openmathinstruct1.jsonl")
    wrong = rows[0] | {"is_correct": False}
    files = {
        "correct_solutions/train.jsonl": json_lines([*rows, wrong]),
        "incorrect_solutions/train.jsonl": json_lines([wrong]),
    }
    (found,), _ = ask(
        tmp_path, {"nvidia/OpenMathInstruct-1": files}, commit, ("openmathinstruct1", "train", commit)
    )
    assert len(found) == len(rows) == 100
    rows = samples(shared_data, "tinygsm.jsonl")
    (found,), _ = ask(
        tmp_path,
        {"TinyGSM/TinyGSM": {"data/train-00000-of-00001.parquet": parquet(rows)}},
        commit,
        ("tinygsm", "train", commit),
    )
    assert found == [[row["question"].strip(), row["code"].strip("\n")] for row in rows]


def test_problem_sets_come_from_test_files_and_training_from_train_files(
    tmp_path: Path, shared_data: Path
) -> None:
    rows = {
        split: [{"question": f"{split} {i}?", "answer": f"#### {i}"} for i in range(2)]
        for split in ("train", "test")
    }
    files = {f"main/{split}-00000-of-00001.parquet": parquet(rows[split]) for split in rows}
    files["socratic/test-00000-of-00001.parquet"] = parquet(rows["test"])
    found, _ = ask(
        tmp_path,
        {"openai/gsm8k": files},
        commit_of("gsm8k"),
        ("gsm8k", "train", None),
        ("gsm8k", "test", None),
    )
    assert found[0] == [["train 0?", "#### 0"], ["train 1?", "#### 1"]]
    assert found[1] == [["test 0?", "0", "gsm8k"], ["test 1?", "1", "gsm8k"]]
    content = (shared_data / "math500" / "test.jsonl").read_bytes()
    (found,), _ = ask(
        tmp_path,
        {"HuggingFaceH4/MATH-500": {"test.jsonl": content}},
        commit_of("math500"),
        ("math500", "test", None),
    )
    local = load_problems(str(shared_data / "math500" / "test.jsonl"))
    assert found == [[problem.question, problem.reference, "math500"] for problem in local]


def test_answers_that_the_library_turns_into_numbers_stay_the_same(tmp_path: Path, shared_data: Path) -> None:
    source = shared_data / "aime" / "aime_1983_2024.csv"
    with source.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.reader(stream))
    local = [[problem.question, problem.reference] for problem in load_problems(str(source))]
    files = {"AIME_Dataset_1983_2024.csv": source.read_bytes()}
    (found,), _ = ask(tmp_path, {"gneubig/aime-1983-2024": files}, commit_of("aime"), ("aime", "test", None))
    assert [row[:2] for row in found] == local
    stream = io.StringIO()
    plain = [row for row in rows if " or " not in row[4]]
    csv.writer(stream).writerows(plain)
    files = {"AIME_Dataset_1983_2024.csv": stream.getvalue().encode()}
    (found,), _ = ask(tmp_path, {"gneubig/aime-1983-2024": files}, commit_of("aime"), ("aime", "test", None))
    assert len(found) == len(plain) - 1 == 932


def test_any_repository_at_a_commit(tmp_path: Path) -> None:
    commit = "ab" * 20
    files = {
        "README.md": b"---\nlicense: mit\n---\n",
        "data/train-00000-of-00001.parquet": parquet([{"query": "Q", "response": "R"}]),
    }
    (found,), _ = ask(tmp_path, {"someone/rows": files}, commit, ("someone/rows", "train", commit))
    assert found == [["Q", "R"]]


def test_what_goes_wrong_is_one_line(tmp_path: Path) -> None:
    commit = commit_of("gsm8k")
    repositories = {
        "openai/gsm8k": {"main/other.parquet": parquet([{"question": "Q", "answer": "A"}])},
        "meta-math/MetaMathQA": {"MetaMathQA-395K.json": b'[{"query": "Q", "response": '},
    }
    wanted = [
        ("gsm8k", "train", None),
        ("gsm8k", "train", "0" * 40),
        ("metamathqa", "train", commit),
        ("math500", "train", None),
    ]
    found, _ = ask(tmp_path, repositories, commit, *wanted)
    for message, word in zip(
        found, ("main/train-*.parquet", "0" * 40, "MetaMathQA-395K.json", "never trained on"), strict=True
    ):
        assert word in message
        assert "\n" not in message
        assert len(message) < 500
    environment = os.environ | {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(tmp_path / "none")}
    ran = subprocess.run(
        [sys.executable, "-c", ASK, json.dumps([("gsm8k", "train", None)])],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert "is there a network" in ran.stdout
    assert "Traceback" not in ran.stderr
