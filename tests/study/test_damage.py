"""One flipped bit in any kind of artifact: found, set aside, made again with the bytes it had."""

import json
import re
import shutil
from pathlib import Path

import pytest

from echochamber.analysis.study_folder import load_study
from echochamber.analysis.study_tables.plan import machine_seconds
from echochamber.core.checksums import payload_files
from echochamber.core.errors import UserError
from echochamber.core.manifest import check_artifact
from echochamber.core.parquet_chunks import ParquetChunks
from echochamber.core.resume import ResumePoint
from echochamber.study.checkpoints import find_checkpoint
from echochamber.study.clean import remove_unreferenced, unreferenced
from echochamber.study.results import write_report

from .tiny import payload, run_tiny

pytestmark = pytest.mark.medium

KINDS = ("tokenizer", "problems", "shards", "pretrain", "rl", "evaluate", "probe")


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """A finished study."""
    folder = tmp_path_factory.mktemp("tiny") / "study"
    done = run_tiny(folder)
    assert not done.failed
    return folder


@pytest.fixture
def study(whole, tmp_path) -> Path:
    """A copy of it, to be damaged."""
    return shutil.copytree(whole, tmp_path / "study")


def _artifacts(study, kind):
    return sorted((study / "artifacts").glob(f"{kind}-*"))


def _flip(path, share=0.5):
    content = bytearray(path.read_bytes())
    content[int(len(content) * share)] ^= 4
    path.write_bytes(content)


def _largest(folder):
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != "manifest.json"]
    return max(files, key=lambda path: path.stat().st_size)


def _said(capsys, word):
    return [line for line in capsys.readouterr().err.splitlines() if line.startswith(word)]


@pytest.mark.slow
def test_verify_finds_one_flipped_bit_in_every_kind_of_artifact(whole, study, capsys):
    flipped = [_largest(_artifacts(study, kind)[-1]) for kind in KINDS]
    for path in flipped:
        _flip(path)
    assert run_tiny(study, verify=True).failed == []
    said = " ".join(_said(capsys, "damaged: "))
    assert all(path.name in said for path in flipped)
    assert payload(study) == payload(whole)
    assert run_tiny(study, verify=True).was_finished


def test_one_flipped_bit_in_any_payload_file_is_found(study):
    """Every file of every kind: models, records, tables, logs and plans, at both ends and inside."""
    found = dict.fromkeys(KINDS, 0)
    for kind in KINDS:
        for folder in _artifacts(study, kind):
            for name in payload_files(folder):
                whole = (folder / name).read_bytes()
                for share in (0, 0.5, 0.9999) if whole else ():
                    _flip(folder / name, share)
                    with pytest.raises(UserError, match=f"{re.escape(name)} has another SHA-256"):
                        check_artifact(folder)
                    (folder / name).write_bytes(whole)
                found[kind] += bool(whole)
            check_artifact(folder)
    assert min(found.values()) >= 1
    assert sum(found.values()) >= 30


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["pretrain", "rl", "evaluate", "probe"])
def test_a_flipped_bit_in_the_resume_state_of_any_stage_changes_no_byte(
    whole, study, monkeypatch, capsys, kind
):
    """A stage is cut after it saved something; each file that it saved is damaged, then the study goes on."""
    for after in KINDS[KINDS.index(kind) :]:
        for folder in _artifacts(study, after):
            shutil.rmtree(folder)
    with monkeypatch.context() as patch:
        _cut_after_saving(patch, kind)
        with pytest.raises(KeyboardInterrupt):
            run_tiny(study)
    (partial,) = (study / "artifacts" / ".partial").glob(f"{kind}-*[0-9a-f]")
    saved = [path for path in partial.glob("resume/*") if path.suffix in (".pt", ".parquet")]
    assert saved
    for path in saved:
        _flip(path)
    assert run_tiny(study).failed == []
    if kind in ("pretrain", "rl"):  # chunks of the others are written again one by one
        (line,) = _said(capsys, "damaged: ")
        assert f"resume/{saved[0].name} is not as it was when the state was saved" in line
    assert payload(study) == payload(whole)


def _cut_after_saving(patch, kind):
    """Whatever saves first in a stage of this kind is stopped right after it."""
    saved, write = ResumePoint.saved, ParquetChunks.write

    def stop(folder):
        if folder.name.startswith(f"{kind}-"):
            raise KeyboardInterrupt

    def saved_and_stopped(self):
        saved(self)
        stop(self.artifact)

    def written_and_stopped(self, index, table):
        write(self, index, table)
        stop(self.folder.parent)

    patch.setattr(ResumePoint, "due", lambda self: True)
    patch.setattr(ResumePoint, "saved", saved_and_stopped)
    patch.setattr(ParquetChunks, "write", written_and_stopped)


def test_a_damaged_parent_is_made_again_before_it_is_read(whole, study, capsys):
    """Nothing asked for a check: the stages below it are missing, so it is read."""
    (shards,) = _artifacts(study, "shards")
    _flip(shards / "tokens.bin")
    for kind in ("pretrain", "rl", "evaluate", "probe"):
        for folder in _artifacts(study, kind):
            shutil.rmtree(folder)
    assert run_tiny(study).failed == []
    (line,) = _said(capsys, "damaged: ")
    assert "tokens.bin has another SHA-256" in line
    assert payload(study) == payload(whole)


@pytest.mark.parametrize("lost", ["manifest.json", "problems.jsonl"])
def test_a_finished_study_with_a_lost_file_is_not_called_done(whole, study, capsys, lost):
    (_artifacts(study, "problems")[0] / lost).unlink()
    done = run_tiny(study)
    assert (done.num_missing, done.was_finished) == (1, False)
    assert f"{lost}" in _said(capsys, "damaged: ")[0]
    assert payload(study) == payload(whole)


def test_the_report_leaves_out_damaged_records_and_names_them(study):
    for folder in _artifacts(study, "evaluate"):
        _flip(folder / "records.parquet")
    page = write_report(study, study / "page.html").read_text()
    assert page.count("records.parquet has another SHA-256 than its manifest says") >= 2


def test_a_damaged_checkpoint_is_not_sampled_from(study):
    (trained,) = _artifacts(study, "rl")
    _flip(trained / "checkpoints" / "step_2" / "model.safetensors")
    with pytest.raises(UserError, match=r"step_2/model\.safetensors has another SHA-256"):
        find_checkpoint(study)


@pytest.mark.slow
def test_stages_from_before_checksums_report_and_continue_as_unverified(whole, study, capsys):
    for path in (study / "artifacts").glob("*/manifest.json"):
        manifest = json.loads(path.read_text())
        del manifest["files"], manifest["digest"]
        path.write_text(json.dumps(manifest | {"code_version": "0.0.9"}))
    for folder in _artifacts(study, "probe"):
        shutil.rmtree(folder)
    assert run_tiny(study).failed == []
    first, *rest = capsys.readouterr().err.splitlines()
    assert "stages of several package versions: 8 by 0.0.9; the rest will be by" in first
    assert rest[0].startswith("unverified: 8 of 8 finished stages")
    assert payload(study) == payload(whole)


@pytest.mark.parametrize("content", ['[["x", 1], null', "[[[], 5.0], null]", f"[[0, 1{'0' * 400}]]"])
def test_damaged_sittings_stop_nothing(whole, study, content):
    for path in (study / "artifacts").glob("*/sittings.json"):
        path.write_text(content)
    assert machine_seconds(load_study(study)) is None
    assert run_tiny(study).failed == []
    assert payload(study) == payload(whole)


def test_clean_lists_and_removes_what_nothing_references(study):
    assert unreferenced(study) == [one for one in unreferenced(study) if one.path.suffix == ".lock"]
    kept = {path: path.read_bytes() for path in study.rglob("*") if path.is_file() and path.suffix != ".lock"}
    old = shutil.copytree(_artifacts(study, "rl")[0], study / "artifacts" / "rl-0123456789abcdef")
    cut = study / "artifacts" / ".partial" / "rl-0123456789abcdef"
    task = cut.with_name(f"{cut.name}.launch")
    aside = study / "artifacts" / ".damaged" / "rl-0123456789abcdef-1"
    for folder in (cut, task, aside):
        folder.mkdir(parents=True)
        (folder / "half").write_text("x")
    found = [one for one in unreferenced(study) if one.path.suffix != ".lock"]
    assert {one.path for one in found} == {old, cut, task, aside}
    remove_unreferenced(unreferenced(study))
    assert unreferenced(study) == []
    after = {path: path.read_bytes() for path in study.rglob("*") if path.is_file()}
    assert after == kept
    assert not load_study(study).warnings
