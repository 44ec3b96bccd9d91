"""Artifacts appear whole or not at all, keyed by what they are made from."""

import json

import pytest

from echochamber.core.artifacts import Spec, Store
from echochamber.core.checksums import hash_file
from echochamber.core.errors import UserError
from echochamber.core.files import make_folder, write_json, write_text
from echochamber.core.manifest import read_manifest
from echochamber.core.resume_record import RESUME_DIR


def _spec(**changes):
    return Spec(
        **{"kind": "thing", "config": {"a": 1, "b": [2]}, "version": 1, "parents": {"p": "ff"}, "inputs": {}}
        | changes
    )


@pytest.mark.parametrize(
    "change",
    [
        {"config": {"a": 2}},
        {"version": 2},
        {"parents": {"p": "00"}},
        {"inputs": {"f": "1"}},
        {"kind": "other"},
    ],
)
def test_anything_that_matters_changes_the_fingerprint(change):
    assert _spec().fingerprint != _spec(**change).fingerprint


def test_key_order_does_not():
    assert _spec().fingerprint == _spec(config={"b": [2], "a": 1}).fingerprint


def test_published_with_a_manifest_and_without_resume_state(tmp_path):
    store, spec = Store(tmp_path), _spec()

    def write(folder):
        (folder / RESUME_DIR).mkdir()
        (folder / "payload").write_text("x")
        assert not store.has(spec)

    assert store.build(spec, write, {"seed": 3}) == store.path(spec)
    assert store.has(spec)
    assert sorted(p.name for p in store.path(spec).iterdir()) == ["manifest.json", "payload"]
    manifest = read_manifest(store.path(spec))
    assert manifest["seeds"] == {"seed": 3}
    assert manifest["parents"] == {"p": "ff"}
    assert "python" in manifest["libraries"]


def test_what_a_kill_left_of_a_text_is_not_published(tmp_path, monkeypatch):
    store, spec = Store(tmp_path), _spec()

    def cut(self, target):
        raise KeyboardInterrupt

    def write(folder):
        make_folder(folder / "inner")
        write_text(folder / "inner" / "config.json", "{}")

    with monkeypatch.context() as patch:
        patch.setattr(type(tmp_path), "replace", cut)
        with pytest.raises(KeyboardInterrupt):
            store.build(spec, write)
    assert len(list(store.partial(spec).rglob("*.tmp"))) == 1
    store.build(spec, write)
    assert sorted(p.name for p in store.path(spec).rglob("*") if p.is_file()) == [
        "config.json",
        "manifest.json",
    ]


def test_an_error_publishes_nothing_and_keeps_the_partial_folder(tmp_path):
    store, spec = Store(tmp_path), _spec()

    def fail(folder):
        (folder / "half").write_text("x")
        _ = 1 / 0

    with pytest.raises(ZeroDivisionError):
        store.build(spec, fail)
    assert not store.has(spec)
    found = []
    store.build(spec, lambda folder: found.append((folder / "half").is_file()))
    assert found == [True]


def test_two_builders_do_not_share_a_folder(tmp_path):
    store, spec = Store(tmp_path), _spec()

    def write(folder):
        with pytest.raises(UserError, match="another process"):
            Store(tmp_path).build(spec, pytest.fail)

    store.build(spec, write)
    assert store.has(spec)


def test_what_another_process_published_meanwhile_is_taken(tmp_path, monkeypatch):
    """It may end between the look for the artifact and the lock."""
    spec = _spec()
    Store(tmp_path).build(spec, lambda folder: (folder / "payload").write_text("theirs"))
    late = Store(tmp_path)
    answers = iter([False, True])
    monkeypatch.setattr(late, "has", lambda asked: next(answers))
    assert (late.build(spec, pytest.fail) / "payload").read_text() == "theirs"
    assert next(answers, None) is None
    assert not late.partial(spec).exists()


def test_write_text_replaces_whole_or_raises(tmp_path):
    write_text(tmp_path / "f", "one")
    write_text(tmp_path / "f", "two")
    assert (tmp_path / "f").read_text() == "two"
    assert [p.name for p in tmp_path.iterdir()] == ["f"]
    with pytest.raises(UserError, match="cannot be written"):
        write_text(tmp_path / "none" / "f", "x")


def test_json_refuses_nan(tmp_path):
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(tmp_path / "f.json", {"a": float("nan")})
    assert not list(tmp_path.iterdir())


def test_hash_is_of_the_content(tmp_path):
    (tmp_path / "a").write_text("x")
    (tmp_path / "b").write_text("x")
    assert hash_file(tmp_path / "a") == hash_file(tmp_path / "b")


def test_a_folder_without_manifest_is_no_artifact(tmp_path):
    with pytest.raises(UserError, match=r"no manifest\.json"):
        read_manifest(tmp_path)
    (tmp_path / "manifest.json").write_text(json.dumps({"kind": "x"}))
    assert read_manifest(tmp_path) == {"kind": "x"}
