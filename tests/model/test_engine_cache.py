"""The cached engine is loaded only where it is this user's own and has the digest of its building."""

import os

import pytest

from echochamber.core.checksums import hash_file
from echochamber.model.native.built import is_trusted, private_folder


@pytest.fixture
def library(tmp_path):
    """A file in place of the library, with its digest."""
    path = tmp_path / "kernels-0.so"
    path.write_bytes(b"code")
    path.with_suffix(".sha256").write_text(hash_file(path))
    for file in (path, path.with_suffix(".sha256")):
        file.chmod(0o600)
    return path


def test_an_own_library_with_its_digest_is_trusted(library):
    assert is_trusted(library)


@pytest.mark.parametrize("mode", [0o666, 0o620, 0o602])
def test_one_that_others_may_write_is_not(library, mode):
    library.chmod(mode)
    assert not is_trusted(library)


@pytest.mark.parametrize("content", [b"", b"cod", b"codf"])
def test_a_cut_or_changed_one_is_not(library, content):
    library.write_bytes(content)
    assert not is_trusted(library)


def test_one_without_a_digest_or_behind_a_link_is_not(library, tmp_path):
    link = tmp_path / "kernels-1.so"
    link.symlink_to(library)
    link.with_suffix(".sha256").write_text(hash_file(library))
    assert not is_trusted(link)
    library.with_suffix(".sha256").unlink()
    assert not is_trusted(library)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_one_of_another_owner_is_not(library):
    os.chown(library, 65534, 65534)
    assert not is_trusted(library)


def test_the_folder_is_private_whatever_the_umask(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    before = os.umask(0)
    try:
        folder = private_folder()
    finally:
        os.umask(before)
    assert folder == tmp_path / "cache" / "echochamber"
    assert folder.stat().st_mode & 0o777 == 0o700
    folder.chmod(0o777)
    other = private_folder()
    assert other != folder
    assert other.stat().st_mode & 0o077 == 0
    other.rmdir()


def test_a_relative_cache_and_an_unknown_home_are_not_used(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", "here")
    assert private_folder() == tmp_path / "home" / ".cache" / "echochamber"
    assert not (tmp_path / "here").exists()

    def unknown():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr("pathlib.Path.home", unknown)
    folder = private_folder()
    assert folder.is_absolute()
    folder.rmdir()
