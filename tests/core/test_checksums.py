"""Damaged artifacts and resume state are found, set aside and made again; nothing is lost or silent."""

import json
import shutil
import threading

import pytest

from echochamber.core.artifacts import Spec, Store
from echochamber.core.checksums import hash_file
from echochamber.core.errors import UserError
from echochamber.core.manifest import check_artifact, read_manifest
from echochamber.core.resume import ResumePoint
from echochamber.core.resume_record import RESUME_DIR, resume_damage, saved_state

SPEC = Spec("thing", {"a": 1}, 1)
PAYLOAD = bytes(range(256)) * 8


def _write(folder):
    (folder / "inner").mkdir()
    (folder / "inner" / "payload.bin").write_bytes(PAYLOAD)
    (folder / "timing.jsonl").write_text("{}\n")


def _built(root):
    store = Store(root)
    return store, store.build(SPEC, _write)


def _flip(path, at=100, bit=1):
    content = bytearray(path.read_bytes())
    content[at] ^= bit
    path.write_bytes(content)


def test_the_manifest_lists_every_payload_file_with_bytes_and_digest(tmp_path):
    _, folder = _built(tmp_path)
    assert read_manifest(folder)["files"] == {
        "inner/payload.bin": [len(PAYLOAD), hash_file(folder / "inner/payload.bin")]
    }


DAMAGES = {
    "cut": lambda folder: (folder / "inner/payload.bin").write_bytes(PAYLOAD[:-1]),
    "gone": lambda folder: (folder / "inner/payload.bin").unlink(),
    "manifest gone": lambda folder: (folder / "manifest.json").unlink(),
    "manifest empty": lambda folder: (folder / "manifest.json").write_text("{}"),
    "manifest torn": lambda folder: (folder / "manifest.json").write_text('{"kind"'),
    "manifest of another": lambda folder: (folder / "manifest.json").write_text('{"fingerprint": "00"}'),
    "manifest deep": lambda folder: (folder / "manifest.json").write_text("[" * 100_000),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_stat_and_manifest_show_is_found_without_reading_the_payload(tmp_path, capsys, damage):
    store, folder = _built(tmp_path)
    DAMAGES[damage](folder)
    assert not store.has(SPEC)
    assert store.build(SPEC, _write) == folder
    assert (folder / "inner/payload.bin").read_bytes() == PAYLOAD
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("damaged: ")]
    assert SPEC.name in line
    assert "set aside as" in line
    assert (tmp_path / ".damaged" / f"{SPEC.name}-1").is_dir()


@pytest.mark.parametrize("at", [0, 1000, len(PAYLOAD) - 1])
def test_one_flipped_bit_is_found_when_an_artifact_is_read_as_a_parent(tmp_path, capsys, at):
    store, folder = _built(tmp_path)
    _flip(folder / "inner/payload.bin", at)
    assert store.has(SPEC)  # the size is as it was: only the content tells
    found = store.set_aside_if_damaged(SPEC)
    assert "inner/payload.bin has another SHA-256" in found
    assert f"{SPEC.name}: inner/payload.bin" in " ".join(capsys.readouterr().err.split())
    assert not folder.exists()
    store.build(SPEC, _write)
    assert store.set_aside_if_damaged(SPEC) is None


@pytest.mark.parametrize("bit", [1, 2, 64])
def test_no_flipped_bit_of_a_manifest_goes_unseen(tmp_path, bit):
    store, folder = _built(tmp_path)
    whole = (folder / "manifest.json").read_bytes()
    meant = json.loads(whole)
    for at in range(len(whole)):
        changed = bytearray(whole)
        changed[at] ^= bit
        (folder / "manifest.json").write_bytes(changed)
        try:
            same = json.loads(changed) == meant
        except ValueError:
            same = False
        assert store.has(SPEC) == same, (at, changed)


def test_an_unchanged_artifact_is_hashed_once_per_process(tmp_path, monkeypatch):
    store, folder = _built(tmp_path)
    hashed = []
    monkeypatch.setattr(
        "echochamber.core.checksums.hash_file", lambda path: hashed.append(path) or hash_file(path)
    )
    assert [store.damage(SPEC, content=True) for _ in range(3)] == [None] * 3
    assert len(hashed) == 1
    _flip(folder / "inner/payload.bin")
    assert store.damage(SPEC, content=True) is not None


def test_an_artifact_from_before_checksums_counts_and_says_so(tmp_path):
    store, folder = _built(tmp_path)
    manifest = read_manifest(folder)
    del manifest["files"], manifest["digest"]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    assert store.has(SPEC)
    assert store.is_unverified(SPEC)
    assert store.set_aside_if_damaged(SPEC) is None
    assert store.build(SPEC, pytest.fail) == folder


def test_a_checkpoint_read_outside_its_study_is_checked(tmp_path):
    _, folder = _built(tmp_path)
    check_artifact(folder)
    _flip(folder / "inner/payload.bin")
    with pytest.raises(UserError, match=r"inner/payload\.bin has another SHA-256.*damaged"):
        check_artifact(folder)


def test_who_finds_an_artifact_held_waits_says_so_and_takes_it(tmp_path, capsys):
    store, inside, go_on = Store(tmp_path), threading.Event(), threading.Event()

    def slow(folder):
        inside.set()
        assert go_on.wait(30)
        _write(folder)

    first = threading.Thread(target=store.build, args=(SPEC, slow))
    first.start()
    assert inside.wait(30)
    threading.Timer(0.3, go_on.set).start()
    assert Store(tmp_path).build(SPEC, pytest.fail, patience=30) == store.path(SPEC)
    first.join()
    assert f"waiting for {SPEC.name}" in capsys.readouterr().err


def _saved(partial, step):
    """A partial artifact with a growing log, a kept checkpoint and the state after `step`."""
    (partial / "metrics.jsonl").write_text("".join(f'{{"step": {n}}}\n' for n in range(step + 1)))
    (partial / "checkpoint.bin").write_bytes(PAYLOAD)
    resume = ResumePoint(partial)
    for saved in range(step + 1):
        resume.state_after(saved).write_bytes(PAYLOAD + bytes([saved]))
        resume.record(saved)
    return resume


def test_only_the_newest_state_stays_and_it_is_found(tmp_path):
    resume = _saved(tmp_path, 2)
    assert resume.state == tmp_path / RESUME_DIR / "state-2.pt"
    assert sorted(path.name for path in resume.folder.iterdir()) == ["state-2.pt", "state.json"]
    assert resume_damage(tmp_path, pytest.fail) is None


def _saved_in_parts(partial, step):
    """As `_saved`, by two ranks: each state is a folder with a part of each and what binds them."""
    resume = ResumePoint(partial)
    for saved in range(step + 1):
        folder = resume.sharded_after(saved)
        folder.mkdir()
        for name in ("__0_0.distcp", "__1_0.distcp", ".metadata"):
            (folder / name).write_bytes(PAYLOAD + name.encode() + bytes([saved]))
        resume.record(saved, sharded=True)
    return resume


def test_state_in_parts_has_a_digest_of_every_part(tmp_path):
    resume = _saved_in_parts(tmp_path, 2)
    assert resume.state == tmp_path / RESUME_DIR / "sharded-2"
    assert sorted(path.name for path in resume.folder.iterdir()) == ["sharded-2", "state.json"]
    assert resume_damage(tmp_path, pytest.fail) is None
    resume.sharded_after(3).mkdir()
    (resume.sharded_after(3) / "__0_0.distcp").write_bytes(PAYLOAD)  # a kill in the middle of the next
    assert resume.state == tmp_path / RESUME_DIR / "sharded-2"
    assert resume_damage(tmp_path, pytest.fail) is None
    for part in ("__1_0.distcp", ".metadata"):
        whole = (resume.state / part).read_bytes()
        _flip(resume.state / part)
        assert resume_damage(tmp_path, pytest.fail) == (
            f"resume/sharded-2/{part} is not as it was when the state was saved"
        )
        (resume.state / part).unlink()
        assert f"{part} cannot be read" in resume_damage(tmp_path, pytest.fail)
        (resume.state / part).write_bytes(whole)
    assert resume_damage(tmp_path, pytest.fail) is None


def test_state_in_parts_of_an_earlier_version_continues_and_says_so(tmp_path):
    parts = tmp_path / RESUME_DIR / "sharded-6"
    parts.mkdir(parents=True)
    (parts / "__0_0.distcp").write_bytes(PAYLOAD)
    (tmp_path / RESUME_DIR / "sharded.json").write_text('{"step": 6}')
    said = []
    assert resume_damage(tmp_path, said.append) is None
    assert saved_state(tmp_path) == parts
    assert said == [f"unverified: {parts} was written before checksums"]
    resume = ResumePoint(tmp_path)
    resume.sharded_after(7).mkdir()
    (resume.sharded_after(7) / "__0_0.distcp").write_bytes(PAYLOAD)
    resume.record(7, sharded=True)
    assert sorted(path.name for path in resume.folder.iterdir()) == ["sharded-7", "state.json"]


def test_a_newer_state_without_its_record_is_not_used(tmp_path):
    """A kill between the two leaves the older state in force."""
    resume = _saved(tmp_path, 1)
    resume.state_after(2).write_bytes(PAYLOAD)
    assert resume_damage(tmp_path, pytest.fail) is None
    assert resume.state == tmp_path / RESUME_DIR / "state-1.pt"


def test_a_log_that_grew_after_the_state_was_saved_is_sound(tmp_path):
    _saved(tmp_path, 1)
    with (tmp_path / "metrics.jsonl").open("a") as stream:
        stream.write('{"step": 2}\n{"torn')
    assert resume_damage(tmp_path, pytest.fail) is None


RESUME_DAMAGES = {
    "state": lambda partial: _flip(partial / RESUME_DIR / "state-1.pt"),
    "state cut": lambda partial: (partial / RESUME_DIR / "state-1.pt").write_bytes(b""),
    "state gone": lambda partial: (partial / RESUME_DIR / "state-1.pt").unlink(),
    "log": lambda partial: _flip(partial / "metrics.jsonl", 3),
    "checkpoint": lambda partial: _flip(partial / "checkpoint.bin"),
    "record": lambda partial: (partial / RESUME_DIR / "state.json").write_text("{}"),
    "record torn": lambda partial: (partial / RESUME_DIR / "state.json").write_text("{"),
}


@pytest.mark.parametrize("damage", RESUME_DAMAGES)
def test_damaged_resume_state_is_set_aside_and_the_stage_begins_anew(tmp_path, capsys, damage):
    store = Store(tmp_path)
    partial = store.partial(SPEC)
    partial.mkdir(parents=True)
    _saved(partial, 1)
    RESUME_DAMAGES[damage](partial)
    found = []

    def write(folder):
        found.append((saved_state(folder), (folder / "metrics.jsonl").exists()))
        _write(folder)

    store.build(SPEC, write)
    assert found == [(None, False)]
    assert "damaged: " in capsys.readouterr().err
    assert (tmp_path / ".damaged" / f"{SPEC.name}-1" / "checkpoint.bin").is_file()


def test_state_of_an_earlier_version_continues_and_says_so(tmp_path):
    (tmp_path / RESUME_DIR).mkdir()
    (tmp_path / RESUME_DIR / "state.pt").write_bytes(PAYLOAD)
    said = []
    assert resume_damage(tmp_path, said.append) is None
    assert saved_state(tmp_path) == tmp_path / RESUME_DIR / "state.pt"
    assert "unverified" in said[0]


def test_temporary_files_of_a_kill_are_removed_before_and_after(tmp_path):
    store = Store(tmp_path)
    partial = store.partial(SPEC)
    (partial / RESUME_DIR).mkdir(parents=True)
    (partial / RESUME_DIR / "state-3.tmp").write_text("half")
    seen = []
    store.build(SPEC, lambda folder: seen.extend(folder.rglob("*.tmp")))
    assert seen == []
    shutil.rmtree(tmp_path)
