"""The notebook of examples/: valid, without outputs, and its cells run in their order."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NOTEBOOK = json.loads((ROOT / "examples" / "recipe-to-figure.ipynb").read_text(encoding="utf-8"))
CODE = [cell for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code"]
MOST_SECONDS = 300
"""Processor time of the whole notebook."""


def test_the_notebook_is_of_format_4_and_holds_no_outputs() -> None:
    assert (NOTEBOOK["nbformat"], NOTEBOOK["nbformat_minor"]) == (4, 5)
    assert len({cell["id"] for cell in NOTEBOOK["cells"]}) == len(NOTEBOOK["cells"])
    for cell in CODE:
        assert cell["outputs"] == []
        assert cell["execution_count"] is None
        compile("".join(cell["source"]), cell["id"], "exec")


@pytest.mark.slow
def test_its_cells_run_in_order_in_under_five_minutes(tmp_path: Path) -> None:
    script = tmp_path / "notebook.py"
    script.write_text("\n\n".join("".join(cell["source"]) for cell in CODE), encoding="utf-8")
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "MPLBACKEND": "Agg"}
    code = f"import runpy, time; runpy.run_path({str(script)!r}); print('seconds', time.process_time())"
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, env=environment
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert float(done.stdout.split()[-1]) < MOST_SECONDS, f"{time.monotonic() - started:.0f} s of wall time"
    assert (tmp_path / "dynamics.png").stat().st_size > 1000
    assert (tmp_path / "runs" / "from-recipe-to-figure" / "report.html").is_file()
