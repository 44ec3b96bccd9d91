"""Local copies of the hub's data sets: where they lie, which files are read, and what is refused."""

import gzip
import json
from pathlib import Path

import pytest

from echochamber.core.errors import UserError
from echochamber.data.hub import HUB_SETS, HubConfig, hub_files, hub_place
from echochamber.data.local_sources import RowSource
from echochamber.data.problem_sets import load_problems
from echochamber.data.source_config import MixtureConfig, SourceConfig

ROW = {"query": "Q", "response": "R"}


def write(path: Path, rows: object = (ROW,)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".json":
        path.write_text(json.dumps(list(rows)), encoding="utf-8")  # type: ignore[call-overload]
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")  # type: ignore[attr-defined]
    return path


def questions(hub: HubConfig, name: str) -> list[str]:
    return [item.question for item in RowSource("real", SourceConfig(hub=name), hub).documents()]


def test_a_copy_is_read_by_owner_and_name_or_from_the_hubs_cache(tmp_path: Path) -> None:
    write(tmp_path / "plain/meta-math/MetaMathQA/MetaMathQA-395K.json")
    assert questions(HubConfig(folder=str(tmp_path / "plain")), "metamathqa") == ["Q"]
    commit = HUB_SETS["metamathqa"].revision
    snapshot = tmp_path / "cache/datasets--meta-math--MetaMathQA/snapshots" / str(commit)
    blob = write(tmp_path / "cache/datasets--meta-math--MetaMathQA/blobs/0123.json")
    snapshot.mkdir(parents=True)
    (snapshot / "MetaMathQA-395K.json").symlink_to(blob)
    assert questions(HubConfig(folder=str(tmp_path / "cache")), "metamathqa") == ["Q"]
    with pytest.raises(UserError, match=r"no copy of openai/gsm8k at 740312.*expected .*openai/gsm8k or"):
        questions(HubConfig(folder=str(tmp_path / "cache")), "gsm8k")


def test_a_copy_needs_no_commit_but_a_revision_is_checked(tmp_path: Path) -> None:
    write(tmp_path / "nvidia/OpenMathInstruct-1/correct_solutions/train.jsonl")
    place = HubConfig(folder=str(tmp_path)).place("openmathinstruct1")
    assert (place.commit, place.folder) == ("", tmp_path / "nvidia/OpenMathInstruct-1")
    with pytest.raises(UserError, match="expected a commit"):
        hub_place("openmathinstruct1", "main", tmp_path)
    assert HubConfig(revisions={"tinygsm": "ab" * 20}).place("tinygsm").commit == "ab" * 20


@pytest.mark.parametrize("name", ["../secrets", "owner/..", "./x", ".git/x", "a/../b"])
def test_no_name_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "copies").mkdir()
    write(tmp_path / "secrets/train.jsonl")
    with pytest.raises(UserError, match="is unknown"):
        hub_place(name, None, tmp_path / "copies")


def test_splits_of_a_copy(tmp_path: Path) -> None:
    write(tmp_path / "someone/rows/train/part-0.jsonl")
    write(tmp_path / "someone/rows/train/part-1.jsonl")
    write(tmp_path / "someone/rows/test/part-0.jsonl")
    write(tmp_path / "someone/rows/.cache/train/left.jsonl")
    place = hub_place("someone/rows", None, tmp_path)
    assert [file.name for file in hub_files(place, "train")] == ["part-0.jsonl", "part-1.jsonl"]
    assert [file.parent.name for file in hub_files(place, "test")] == ["test"]
    write(tmp_path / "HuggingFaceH4/MATH-500/test.jsonl", [{"problem": "P", "answer": "4", "unique_id": "a"}])
    hub = HubConfig(folder=str(tmp_path))
    assert [item.reference for item in load_problems("hub:math500", hub=hub)] == ["4"]
    with pytest.raises(UserError, match="may be evaluated on, never trained on"):
        questions(hub, "math500")


def test_nested_folders_are_read_in_order_and_their_test_splits_refused(tmp_path: Path) -> None:
    for place, text in (("b/2.jsonl", "3"), ("a/1.jsonl", "1"), ("a/2.jsonl", "2"), (".x/0.jsonl", "0")):
        write(tmp_path / "rows" / place, [{"text": text}])
    real = RowSource("real", SourceConfig(path=str(tmp_path / "rows")))
    assert [item.solution for item in real.documents()] == ["1", "2", "3"]
    write(tmp_path / "rows/test/1.jsonl", [{"text": "4"}])
    with pytest.raises(UserError, match=r"rows/test: is a test split"):
        list(real.documents())


def test_the_papers_names_mean_its_own_sets_where_real_is_said() -> None:
    mixture = MixtureConfig.parse({"named": "as_fm3_tg_4xomi1", "real": True}, "mixture")
    assert {name: source.hub for name, source in mixture.sources.items()} == {
        "programs": "algebraic-stack",
        "prose": "finemath3plus",
        "tinygsm": "tinygsm",
        "omi1": "openmathinstruct1",
    }
    assert mixture.sources["omi1"].copies == 4
    assert all(source.hub is None for source in MixtureConfig.parse({"named": "as_tg"}, "m").sources.values())
    with pytest.raises(UserError, match="real is 'yes'"):
        MixtureConfig.parse({"named": "tg", "real": "yes"}, "mixture")


zstandard = pytest.importorskip("zstandard", reason="zstandard is part of 'echochamber[hub]'")


def test_zstandard_files_of_several_frames(tmp_path: Path) -> None:
    lines = [json.dumps({"text": f"page {i} " + "x" * 50}).encode() + b"\n" for i in range(4000)]
    pack = zstandard.ZstdCompressor().compress
    packed = pack(b"".join(lines[:1500])) + pack(b"".join(lines[1500:]))
    (tmp_path / "a.jsonl.zst").write_bytes(packed)
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(lines[0]))
    found = [item.solution for item in RowSource("real", SourceConfig(path=str(tmp_path))).documents()]
    assert len(found) == 4001
    assert (found[0].split()[1], found[3999].split()[1], found[4000].split()[1]) == ("0", "3999", "0")


@pytest.mark.parametrize("damage", ["cut", "cut frame", "flipped"])
def test_damaged_zstandard_files_are_one_line(tmp_path: Path, damage: str) -> None:
    lines = b"".join(json.dumps({"text": f"{i * 7919 % 1000003}"}).encode() + b"\n" for i in range(20000))
    packed = zstandard.ZstdCompressor(write_checksum=True).compress(lines)
    cut = {"cut": len(packed) // 2, "cut frame": len(packed) - 2, "flipped": len(packed)}[damage]
    data = bytearray(packed[:cut])
    if damage == "flipped":
        data[len(data) // 2] ^= 0xFF
    path = tmp_path / "rows.jsonl.zst"
    path.write_bytes(data)
    with pytest.raises(UserError, match=r"rows\.jsonl\.zst: cannot be read \(") as caught:
        list(RowSource("real", SourceConfig(path=str(path))).documents())
    assert "\n" not in str(caught.value)


def test_a_line_without_end_is_a_bad_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("rows", "text_lines"):
        monkeypatch.setattr(f"echochamber.data.{module}.MOST_LINE_BYTES", 1000)
    row = json.dumps({"text": "a page"}).encode() + b"\n"
    long = b'{"text": "' + b"x" * (3 << 20) + b'"}\n'
    (tmp_path / "rows.jsonl.zst").write_bytes(zstandard.ZstdCompressor().compress(row + long + row))
    (tmp_path / "rows.jsonl").write_bytes(row + long + row)
    for name in ("rows.jsonl", "rows.jsonl.zst"):
        real = RowSource("real", SourceConfig(path=str(tmp_path / name), on_bad_row="skip"))
        assert [item.solution for item in real.documents()] == ["a page", "a page"]
        assert real.bad.skipped == 1
        assert "line 2: is longer" in real.bad.reasons[0]
