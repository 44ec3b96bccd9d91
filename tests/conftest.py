"""Fixtures shared by all tests."""

import os
import sys
from pathlib import Path

import pytest

from . import type_checks

# Before any module of the package is imported: every call of a function of these packages then checks the
# declared types and tensor shapes. Training runs without these checks, and so do processes that tests start.
# The generators of texts in `data` (world, styles, background, noise) are checked in `make test-all`:
# their functions are called once a word, and with checks the tests of `data` take nearly three times as long.
EVERY_CALL = os.environ.get("ECHOCHAMBER_CHECK_EVERY_CALL") == "1"
CHECKED = [
    "analysis",
    "api",
    "bench",
    "claims",
    "cli",
    "core",
    *(
        f"data.{name}"
        for name in (
            "allocate",
            "contamination",
            "document_pool",
            "hub",
            "local_sources",
            "mixture",
            "plan",
            "problem_sets",
            "registered_sources",
            "rows",
            "shards",
            "shortcut_baselines",
            "source_config",
            "sources",
            "training_questions",
        )
    ),
    "formulas",
    "model",
    "papers",
    "rl",
    "rollout",
    "stages",
    "stats",
    "study",
    "verify",
]
type_checks.install([f"echochamber.{name}" for name in (*CHECKED, *(["data"] if EVERY_CALL else []))])

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real data sets; tests that need it say why they skip where it is absent."""
    folder = Path(os.environ.get("ECHOCHAMBER_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"real data not found at {folder}; set ECHOCHAMBER_DATA to the folder that holds it")
    return folder


@pytest.fixture
def forgotten(monkeypatch):
    """What the test registers or switches in this process is as before once it has ended.

    Formats and rewards of users' modules, the modules themselves, and `--quiet`.
    """
    from echochamber.core import formats
    from echochamber.core.progress import console
    from echochamber.rollout import rewards

    monkeypatch.setattr(formats, "_REGISTRY", dict(formats._REGISTRY))
    monkeypatch.setattr(rewards, "_REGISTRY", dict(rewards._REGISTRY))
    monkeypatch.setattr(console(), "quiet", console().quiet)
    yield
    for name in [name for name in sys.modules if name.startswith("echochamber_user_")]:
        del sys.modules[name]
