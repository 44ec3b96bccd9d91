"""Digests kept between commands: read again wherever a file may have changed; the record is not trusted."""

import hashlib
import json
import os
from pathlib import Path

import pytest

from echochamber.core import hash_cache
from echochamber.core.artifacts import hash_path
from echochamber.core.hash_cache import FILE, HashCache, forget_hashes


@pytest.fixture
def large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(hash_cache, "_SETTLED", -1.0)
    path = tmp_path / "rows.bin"
    path.write_bytes(b"a" * (hash_cache.SMALLEST + 5))
    return path


def counted(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    read: list[Path] = []
    real = hash_cache.hash_file
    monkeypatch.setattr(hash_cache, "hash_file", lambda file: (read.append(file), real(file))[1])
    return read


def test_a_digest_is_kept_until_the_file_changes(
    large: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = counted(monkeypatch)
    first = HashCache(tmp_path).hash_file(large)
    assert first == hashlib.sha256(large.read_bytes()).hexdigest()
    assert HashCache(tmp_path).hash_file(large) == first
    assert len(read) == 1
    # Other content of the same size under the old date: the system's own date of change gives it away.
    status = large.stat()
    large.write_bytes(b"b" * status.st_size)
    os.utime(large, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert HashCache(tmp_path).hash_file(large) == hashlib.sha256(large.read_bytes()).hexdigest() != first
    assert len(read) == 2
    forget_hashes(tmp_path)
    HashCache(tmp_path).hash_file(large)
    assert len(read) == 3


@pytest.mark.parametrize(
    "record", ["not json", "[]", '{"x": 1}', "ENTRY no digest", "ENTRY short", "ENTRY extra"]
)
def test_a_record_of_another_form_is_not_believed(
    large: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record: str
) -> None:
    true = HashCache(tmp_path).hash_file(large)
    if record.startswith("ENTRY"):
        ((place, entry),) = json.loads((tmp_path / FILE).read_text()).items()
        changed = {"no digest": [*entry[:4], None], "short": [*entry[:4], "abc"], "extra": [*entry, 1]}
        record = json.dumps({place: changed[record.removeprefix("ENTRY ")]})
    (tmp_path / FILE).write_text(record)
    read = counted(monkeypatch)
    assert HashCache(tmp_path).hash_file(large) == true
    assert len(read) == 1


def test_a_file_that_has_just_changed_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "rows.bin"
    path.write_bytes(b"a" * hash_cache.SMALLEST)
    HashCache(tmp_path).hash_file(path)
    assert not (tmp_path / FILE).exists()


def test_folders_hash_as_artifacts_do(large: Path, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "inner").mkdir(parents=True)
    (folder / "inner" / "one").write_text("1")
    large.rename(folder / "two")
    assert HashCache(tmp_path).hash_path(folder) == hash_path(folder)
    assert HashCache(tmp_path / "not there").hash_path(folder) == hash_path(folder)
