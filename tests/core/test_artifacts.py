"""Artifacts appear whole or not at all, keyed by what they are made from."""

import json

import pytest

from echochamber.core.artifacts import (
    RESUME_DIR,
    Spec,
    Store,
    hash_file,
    read_manifest,
    write_json,
    write_text,
)
from echochamber.core.errors import UserError


def _spec(**changes):
    return Spec(**{"kind": "thing", "config": {"a": 1, "b": [2]}, "version": 1, "parents": {"p": "ff"}, "inputs": {}} | changes)


@pytest.mark.parametrize("change", [{"config": {"a": 2}}, {"version": 2}, {"parents": {"p": "00"}}, {"inputs": {"f": "1"}}, {"kind": "other"}])
def test_anything_that_matters_changes_the_fingerprint(change):
    assert _spec().fingerprint != _spec(**change).fingerprint


def test_key_order_does_not():
    assert _spec().fingerprint == _spec(config={"b": [2], "a": 1}).fingerprint


def test_published_with_a_manifest_and_without_resume_state(tmp_path):
    store, spec = Store(tmp_path), _spec()
    with store.build(spec, {"seed": 3}) as folder:
        (folder / RESUME_DIR).mkdir()
        (folder / "payload").write_text("x")
        assert not store.has(spec)
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

    with pytest.raises(KeyboardInterrupt), store.build(spec) as folder:  # noqa: PT012
        (folder / "inner").mkdir()
        monkeypatch.setattr(type(folder), "replace", cut)
        write_text(folder / "inner" / "config.json", "{}")
    monkeypatch.undo()
    assert len(list(folder.rglob("*.tmp"))) == 1
    with store.build(spec) as folder:
        write_text(folder / "inner" / "config.json", "{}")
    assert sorted(p.name for p in store.path(spec).rglob("*") if p.is_file()) == ["config.json", "manifest.json"]


def test_an_error_publishes_nothing_and_keeps_the_partial_folder(tmp_path):
    store, spec = Store(tmp_path), _spec()
    with pytest.raises(ZeroDivisionError), store.build(spec) as folder:  # noqa: PT012  (the body is what fails)
        (folder / "half").write_text("x")
        _ = 1 / 0
    assert not store.has(spec)
    with store.build(spec) as folder:
        assert (folder / "half").is_file()


def test_two_builders_do_not_share_a_folder(tmp_path):
    store, spec = Store(tmp_path), _spec()
    with store.build(spec), pytest.raises(UserError, match="another process"), store.build(spec):
        pass


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
