"""`evaluate --problems hub:...` as a user calls it, with the real `datasets` library and a loopback hub.

Needs the extra [hub].
"""

import io
import json
import os
import subprocess
import sys

import polars as pl
import pytest

from echochamber.model.checkpoint import save_checkpoint
from echochamber.model.tokenizer import train_tokenizer

from ..data.hub_server import serve_hub
from ..model.conftest import CORPUS, tiny_model

pytest.importorskip(
    "datasets", reason="the real library is not installed; pip install 'echochamber[hub]' to run these tests"
)
pytestmark = pytest.mark.slow
COMMIT = "ab" * 20


@pytest.fixture
def evaluate(tmp_path):
    """Run the command in a process of its own, since the library reads its endpoint once."""
    save_checkpoint(tmp_path / "model", tiny_model("llama"), train_tokenizer(CORPUS, 300))
    stream = io.BytesIO()
    pl.DataFrame(
        [{"question": f"{i} and {i}?", "answer": f"{i} + {i} = {2 * i}\n#### {2 * i}"} for i in range(5)]
    ).write_parquet(stream)
    files = {"data/test-00000-of-00001.parquet": stream.getvalue()}

    def call(problems, out):
        with serve_hub({"someone/sums": files}, COMMIT) as (endpoint, _):
            environment = os.environ | {
                "HF_ENDPOINT": endpoint,
                "HF_HOME": str(tmp_path / "cache"),
                "HF_HUB_DISABLE_TELEMETRY": "1",
            }
            command = [
                "evaluate",
                "--checkpoint",
                tmp_path / "model",
                "--problems",
                problems,
                "--samples",
                2,
                "--max-new-tokens",
                8,
                "--out",
                out,
            ]
            return subprocess.run(
                [sys.executable, "-m", "echochamber", *map(str, command)],
                env=environment,
                capture_output=True,
                text=True,
                timeout=300,
                check=False,
            )

    return call


def test_a_problem_set_of_the_hub_is_evaluated_like_a_file(evaluate, tmp_path):
    ran = evaluate(f"hub:someone/sums@{COMMIT}", tmp_path / "out")
    assert ran.returncode == 0, ran.stderr
    (folder,) = (tmp_path / "out").glob("evaluate-*")
    records = pl.read_parquet(folder / "records.parquet")
    assert records["reference"].unique().sort().to_list() == ["0", "2", "4", "6", "8"]
    assert len(records) == 5 * 3
    (row,) = json.loads((folder / "summary.json").read_text())
    assert row["problem_set"] == records["problem_set"][0] == "someone-sums"
    # What was evaluated is on record by content, whatever the hub does later.
    held = json.loads((folder / "manifest.json").read_text())["config"]["problems"]
    assert held[4] == ["someone-sums-4", "4 and 4?", "8"]


def test_a_set_that_cannot_be_read_is_one_line_and_leaves_nothing(evaluate, tmp_path):
    for problems, word in (
        (f"hub:someone/else@{COMMIT}", "someone/else"),
        ("hub:someone/sums", "revision"),
        ("hub:nobody", "unknown"),
    ):
        ran = evaluate(problems, tmp_path / "out")
        assert ran.returncode == 2, ran.stderr
        assert word in ran.stderr
        assert "Traceback" not in ran.stderr
        assert not (tmp_path / "out").exists()
