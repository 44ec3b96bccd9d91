"""Real training rows.

Known layouts, rows left out with a count, test splits refused, the hub at a fixed commit.
"""

import json
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from echochamber.core.errors import UserError
from echochamber.data.hub import HUB_SETS, hub_place, hub_rows, parse_hub_name
from echochamber.data.local_sources import RowSource, training_files
from echochamber.data.source_config import SourceConfig
from echochamber.data.sources import Document


def rows_file(folder: Path, rows: list[dict[str, Any]], name: str = "rows.jsonl") -> Path:
    path = folder / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def source(path: Path, **keys: Any) -> RowSource:
    return RowSource("real", SourceConfig(path=str(path), **keys))


@pytest.mark.parametrize(
    ("row", "document"),
    [
        (
            {"question": "Q?", "code": "def simple_math_problem():\n    return 1\n"},
            ("Q?", "def simple_math_problem():\n    return 1"),
        ),
        ({"question": " Q? ", "generated_solution": "S", "is_correct": True}, ("Q?", "S")),
        ({"problem": "P", "generated_solution": "S", "problem_source": "math"}, ("P", "S")),
        ({"query": "Q", "response": "R", "type": "GSM_FOBAR"}, ("Q", "R")),
        ({"question": "Q", "answer": "A\n#### 1"}, ("Q", "A\n#### 1")),
        ({"problem": "P", "solution": "S", "level": "Level 1"}, ("P", "S")),
        ({"text": "A page.", "url": "x"}, ("", "A page.")),
    ],
)
def test_layouts_are_told_by_their_columns(
    tmp_path: Path, row: dict[str, Any], document: tuple[str, str]
) -> None:
    assert list(source(rows_file(tmp_path, [row])).documents()) == [Document(*document)]


def test_wrong_rows_of_openmathinstruct1_are_filtered_and_counted(tmp_path: Path) -> None:
    rows = [{"question": "Q", "generated_solution": str(i), "is_correct": i % 3 == 0} for i in range(9)]
    real = source(rows_file(tmp_path, rows))
    assert [item.solution for item in real.documents()] == ["0", "3", "6"]
    assert real.note == "6 rows filtered"


def test_bad_rows_stop_or_are_counted(tmp_path: Path) -> None:
    path = rows_file(
        tmp_path, [{"question": "Q", "code": "x"}, {"question": "Q"}, {"question": "Q", "code": 7}]
    )
    with pytest.raises(UserError, match=r"line 2: column 'code' is missing; columns found: question"):
        list(source(path).documents())
    real = source(path, on_bad_row="skip")
    assert len(list(real.documents())) == 1
    assert real.note == "2 bad rows skipped"


def test_unknown_columns_say_what_is_known(tmp_path: Path) -> None:
    path = rows_file(tmp_path, [{"prompt": "Q", "completion": "A"}])
    with pytest.raises(
        UserError, match=r"columns prompt, completion fit no known layout \(tinygsm: question, code"
    ):
        list(source(path).documents())
    with pytest.raises(UserError, match=r"columns 'omi9' is unknown"):
        source(path, columns="omi9")


@pytest.mark.parametrize("name", ["test.jsonl", "test-00000.jsonl", "gsm8k_test.jsonl", "TEST.jsonl"])
def test_test_splits_are_never_trained_on(tmp_path: Path, name: str) -> None:
    path = rows_file(tmp_path, [{"question": "Q", "answer": "A"}], name)
    with pytest.raises(UserError, match="is a test split"):
        list(source(path).documents())
    with pytest.raises(UserError, match="is a test split"):
        list(source(tmp_path).documents())


def test_subsets_beside_the_whole_are_left_out(tmp_path: Path) -> None:
    for name in (
        "train-00000-of-00002",
        "train-00001-of-00002",
        "train_1M-00000-of-00001",
        "train_5M-00000-of-00001",
    ):
        rows_file(tmp_path, [{"problem": name, "generated_solution": "S"}], f"{name}.jsonl")
    assert [path.name[:11] for path in training_files(tmp_path)] == ["train-00000", "train-00001"]
    assert len(list(source(tmp_path).documents())) == 2


@pytest.mark.parametrize(
    ("file", "count", "start"),
    [
        ("tinygsm.jsonl", 3, "def simple_math_problem() -> int:"),
        ("openmathinstruct1.jsonl", 100, "Let's solve this problem"),
        ("openmathinstruct2.jsonl", 100, "Start by multiplying"),
        ("metamathqa.jsonl", 6, ""),
    ],
)
def test_real_samples(shared_data: Path, file: str, count: int, start: str) -> None:
    documents = list(source(shared_data / "samples" / file).documents())
    assert len(documents) == count
    assert documents[0].solution.startswith(start)
    assert all(item.question and item.solution for item in documents)


def test_gsm8k_train_is_read_and_its_test_split_refused(shared_data: Path) -> None:
    assert sum(1 for _ in source(shared_data / "gsm8k" / "train.jsonl.gz").documents()) == 7473
    with pytest.raises(UserError, match="is a test split"):
        list(source(shared_data / "gsm8k" / "test.jsonl").documents())


def fake_hub(monkeypatch: pytest.MonkeyPatch, calls: list[Any]) -> None:
    module = types.ModuleType("datasets")

    def load_dataset(*args: Any, **keys: Any) -> list[dict[str, str]]:
        calls.append((args, keys))
        return [{"query": "Q1", "response": "R1"}, {"query": "Q2", "response": "R2"}]

    module.load_dataset = load_dataset  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "datasets", module)


def test_hub_rows_are_streamed_from_one_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []
    fake_hub(monkeypatch, calls)
    real = RowSource("metamath", SourceConfig(hub="metamathqa"))
    assert [item.question for item in real.documents()] == ["Q1", "Q2"]
    ((args, keys),) = calls
    assert args == ("json",)
    commit = HUB_SETS["metamathqa"].revision
    assert keys == {
        "data_files": {"train": f"hf://datasets/meta-math/MetaMathQA@{commit}/MetaMathQA-395K.json"},
        "split": "train",
        "streaming": True,
    }


def test_hub_needs_a_commit_and_a_known_name(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []
    fake_hub(monkeypatch, calls)
    with pytest.raises(UserError, match="no pinned revision; set revision"):
        hub_place("openmathinstruct1")
    with pytest.raises(
        UserError, match=r"revision of 'gsm8k' is 'main', expected a commit \(40 hexadecimal digits\)"
    ):
        hub_place("gsm8k", "main")
    with pytest.raises(UserError, match=r"'omi7' is unknown; there are tinygsm"):
        hub_place("omi7")
    with pytest.raises(UserError, match="is unknown"):
        hub_place("../../etc")
    commit = "c0ffee42" * 5
    place, row = next(hub_rows(parse_hub_name(f"hub:someone/rows@{commit}"), "test"))
    assert (place, row["query"]) == ("someone/rows@c0ffee42c0ff, row 1", "Q1")
    assert calls == [(("someone/rows",), {"split": "test", "revision": commit, "streaming": True})]


def test_sets_to_evaluate_on_are_never_trained_on(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_hub(monkeypatch, [])
    for name in ("math500", "aime", "aime-2022-2024"):
        with pytest.raises(UserError, match=f"'{name}' may be evaluated on, never trained on"):
            list(RowSource("real", SourceConfig(hub=name)).documents())
    with pytest.raises(UserError, match="has no test split"):
        hub_rows(hub_place("metamathqa"), "test")


def test_openmathinstruct2_pattern_leaves_its_subsets_out() -> None:
    files = HUB_SETS["openmathinstruct2"].train
    assert files is not None
    assert Path("data/train-00000-of-00032.parquet").match(files)
    assert not Path("data/train_1M-00000-of-00001.parquet").match(files)


def test_without_the_extra_the_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(UserError, match=r"echochamber\[hub\]"):
        list(hub_rows(hub_place("metamathqa"), "train"))
