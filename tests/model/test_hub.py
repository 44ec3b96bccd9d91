"""`hub:OWNER/NAME` against a stand-in of the hub's library; nothing here touches a network."""

import sys
import types
from fnmatch import fnmatch

import pytest

from echochamber.core.errors import UserError
from echochamber.model.checkpoint import load_checkpoint, save_checkpoint
from echochamber.model.hub import fetch_checkpoint

from .conftest import tiny_model


@pytest.fixture
def hub(monkeypatch, tmp_path, tokenizer):
    """A library whose one model is a checkpoint of ours; remembers how it was asked."""
    save_checkpoint(tmp_path / "snapshot", tiny_model("olmo"), tokenizer)
    module = types.ModuleType("huggingface_hub")
    module.asked = []

    def snapshot_download(repo_id, *, revision=None, allow_patterns=None):
        module.asked.append((repo_id, revision, allow_patterns))
        if repo_id != "owner/name":
            raise ConnectionError("[Errno -3] Temporary failure in name resolution")
        return str(tmp_path / "snapshot")

    module.snapshot_download = snapshot_download
    monkeypatch.setitem(sys.modules, "huggingface_hub", module)
    return module


def test_a_model_is_fetched_at_its_revision_and_loads(hub):
    model, tokenizer = load_checkpoint(fetch_checkpoint("hub:owner/name@abc123"))
    ((asked, revision, patterns),) = hub.asked
    assert (asked, revision) == ("owner/name", "abc123")
    wanted = ("config.json", "model-1.safetensors", "chat_template.jinja", "tokenizer.model", "own.py")
    assert all(any(fnmatch(name, pattern) for pattern in patterns) for name in wanted)
    pickled = ("pytorch_model.bin", "model.pt", "weights.pkl", "model.ckpt", "model.pth")
    assert not any(fnmatch(name, pattern) for name in pickled for pattern in patterns)
    assert tokenizer.vocab_size <= model.config.vocab_size
    fetch_checkpoint("hub:owner/name")
    assert hub.asked[1][1] is None


def test_no_network_is_one_clear_line(hub):
    with pytest.raises(
        UserError,
        match=r"hub:owner/other: cannot be fetched \(ConnectionError: .*name resolution\); "
        r"is there a network",
    ):
        fetch_checkpoint("hub:owner/other")


def test_the_missing_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(UserError, match=r"pip install 'echochamber\[hub\]'"):
        fetch_checkpoint("hub:owner/name")


@pytest.mark.parametrize("name", ["hub:", "hub:name", "hub:a/b/c", "hub:../x/y", "hub:a/b@"])
def test_a_malformed_name_is_refused(name):
    with pytest.raises(UserError, match="expected hub:OWNER/NAME"):
        fetch_checkpoint(name)


def test_pickled_weights_are_never_read(hub, tmp_path):
    (tmp_path / "snapshot" / "model.safetensors").rename(tmp_path / "snapshot" / "pytorch_model.bin")
    with pytest.raises(UserError, match="pickled weights are not read"):
        fetch_checkpoint("hub:owner/name")
