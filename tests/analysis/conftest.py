"""Synthetic studies, written once per session; tests that damage one take a copy."""

import shutil
from pathlib import Path

import pytest

from .synthetic import make_study

NOTES = ("Settings were chosen for demonstration.", "A collapse alone proves nothing without <null> models.")


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One mixture, one seed, notes, a hostile completion. Read only."""
    return make_study(tmp_path_factory.mktemp("one"), notes=NOTES)


@pytest.fixture(scope="session")
def grid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two mixtures, three seeds. Read only."""
    folder = tmp_path_factory.mktemp("grid")
    return make_study(folder, seeds=(0, 1, 2), mixtures=("tg_omi1_omi2", "tg_4xomi1"), problems=16, samples=4)


@pytest.fixture
def copied(study: Path, tmp_path: Path) -> Path:
    """A copy of `study` that a test may damage."""
    return Path(shutil.copytree(study, tmp_path / "study"))
