"""Synthetic studies, written once per session; tests that damage one take a copy."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from .browser import Chromium
from .synthetic import make_arms, make_study

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


@pytest.fixture(scope="session")
def arms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fourteen arms of two seeds; `omi1` wins in every second one, `tinygsm` in the others. Read only."""
    folder = tmp_path_factory.mktemp("arms")
    return make_arms(folder, 14, seeds=2, problems=10, samples=4, checkpoints=(8, 48))


@pytest.fixture(scope="module")
def chromium() -> Iterator[Chromium]:
    """One browser for the tests of a file."""
    with Chromium() as browser:
        yield browser


@pytest.fixture
def copied(study: Path, tmp_path: Path) -> Path:
    """A copy of `study` that a test may damage."""
    return Path(shutil.copytree(study, tmp_path / "study"))
