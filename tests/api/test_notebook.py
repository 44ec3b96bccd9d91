"""The notebooks of examples/: valid, without outputs, and their cells run in their order."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NOTEBOOKS = {path.stem: path for path in (ROOT / "examples").glob("*.ipynb")}
MOST_SECONDS = {"recipe-to-figure": 300, "new-algorithm": 120, "sceptics-tour": 120}
"""Processor time of a whole notebook, several times what it takes."""
LEAVES = {
    "recipe-to-figure": ("dynamics.png", "runs/from-recipe-to-figure/report.html"),
    "new-algorithm": ("maxrl.py", "runs/new-algorithm/report.html"),
    "sceptics-tour": ("runs/tour/report.html",),
}
"""Files that a notebook writes, seen from its own folder."""


def code_cells(name: str) -> list[dict]:
    """The code cells of a notebook."""
    cells = json.loads(NOTEBOOKS[name].read_text(encoding="utf-8"))["cells"]
    return [cell for cell in cells if cell["cell_type"] == "code"]


def test_there_are_three_and_the_readme_names_each() -> None:
    assert set(NOTEBOOKS) == set(MOST_SECONDS) == set(LEAVES)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert all(f"(examples/{name}.ipynb)" in readme for name in NOTEBOOKS)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_is_of_format_4_and_holds_no_outputs(name: str) -> None:
    notebook = json.loads(NOTEBOOKS[name].read_text(encoding="utf-8"))
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    assert len({cell["id"] for cell in notebook["cells"]}) == len(notebook["cells"])
    for cell in code_cells(name):
        assert cell["outputs"] == []
        assert cell["execution_count"] is None
        compile("".join(cell["source"]), cell["id"], "exec")


@pytest.mark.slow
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_its_cells_run_in_order_in_its_time(name: str, tmp_path: Path) -> None:
    script = tmp_path / "notebook.py"
    script.write_text("\n\n".join("".join(cell["source"]) for cell in code_cells(name)), encoding="utf-8")
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "MPLBACKEND": "Agg"}
    code = f"import runpy, time; runpy.run_path({str(script)!r}); print('seconds', time.process_time())"
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, env=environment
    )
    assert done.returncode == 0, f"{done.stdout[-1000:]}{done.stderr[-2000:]}"
    seconds = float(done.stdout.split()[-1])
    assert seconds < MOST_SECONDS[name], f"{time.monotonic() - started:.0f} s of wall time"
    for file in LEAVES[name]:
        assert (tmp_path / file).stat().st_size > 100
