"""One smoke study per test process."""

from pathlib import Path

import pytest

from echochamber.study.execute import open_study, run_study
from echochamber.study.recipe import load_recipe
from echochamber.study.results import finish_study


@pytest.fixture(scope="session")
def smoke(tmp_path_factory) -> Path:
    """Folder of a finished smoke study."""
    folder = tmp_path_factory.mktemp("smoke")
    graph, status = open_study(load_recipe("smoke", []), folder)
    assert run_study(graph, status) == 0
    finish_study(folder)
    return folder
