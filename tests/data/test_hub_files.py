"""Files of the hub fetched one by one by its own library, from a loopback server with its paths.

Nothing here was tried against the hub itself. The library reads its endpoint once, at import.
So each test asks in a process of its own.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from echochamber.data.hub import HUB_SETS, HubPlace
from echochamber.data.source_files import _wanted

from .hub_server import serve_hub

pytest.importorskip("huggingface_hub", reason="huggingface_hub is part of 'echochamber[hub]'")

COMMIT = "ab" * 20
CODE = """
import sys
from pathlib import Path
from echochamber.core.errors import UserError
from echochamber.data import source_files
from echochamber.data.source_config import SourceConfig
from echochamber.data.source_tokens import SourceTokens, TokenSource, tokenize_source
from tests.data.test_source_tokens import start, texts
source_files._WAITS = (0.05, 0.05, 0.05)
if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir()
    config = SourceConfig(hub="openmathinstruct2", revision=sys.argv[2])
    try:
        tokenize_source(TokenSource("omi2", config, "\\n\\n", 256, 300), start, {}, folder)
    except UserError as error:
        print("ERROR", error)
    else:
        print(sorted(texts(SourceTokens(folder))))
        print([item.name for item in sorted(folder.iterdir())])
"""


def parquet(rows: list[dict[str, str]]) -> bytes:
    import io

    import polars as pl

    stream = io.BytesIO()
    pl.DataFrame(rows).write_parquet(stream)
    return stream.getvalue()


FILES = {
    "data/train-00000-of-00002.parquet": parquet([{"problem": "P1", "generated_solution": "S1"}]),
    "data/train-00001-of-00002.parquet": parquet([{"problem": "P2", "generated_solution": "S2"}]),
    "data/train_1M-00000-of-00001.parquet": parquet([{"problem": "P1", "generated_solution": "S1"}]),
    "README.md": b"a card",
}


def ask(tmp_path: Path, commit: str = COMMIT, failures: int = 0) -> tuple[str, list[str]]:
    script = tmp_path / "run.py"
    script.write_text(CODE)
    with serve_hub({"nvidia/OpenMathInstruct-2": FILES}, COMMIT, failures) as (endpoint, asked):
        env = os.environ | {
            "HF_ENDPOINT": endpoint,
            "HF_HOME": str(tmp_path / "home"),
            "HF_HUB_DISABLE_XET": "1",
            "PYTHONPATH": os.pathsep.join([str(Path.cwd()), os.environ.get("PYTHONPATH", "")]),
        }
        done = subprocess.run(
            [sys.executable, str(script), str(tmp_path / "out"), commit],
            env=env,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout, asked


@pytest.mark.medium
def test_the_files_of_the_split_are_fetched_and_not_kept(tmp_path: Path) -> None:
    told, asked = ask(tmp_path)
    assert told.splitlines()[-2:] == [
        str(["P1\n\nS1", "P2\n\nS2"]),
        str(["index.json", "parts", "questions.json"]),
    ]
    assert not any("train_1M" in path and "resolve" in path for path in asked)
    assert json.loads((tmp_path / "out/index.json").read_text())["note"] == ""


@pytest.mark.medium
def test_errors_that_pass_are_met_by_further_tries(tmp_path: Path) -> None:
    assert "P2" in ask(tmp_path, failures=2)[0]


def test_a_wrong_commit_is_one_line_and_not_asked_for_again(tmp_path: Path) -> None:
    told, asked = ask(tmp_path, commit="cd" * 20)
    (line,) = [line for line in told.splitlines() if line.startswith("ERROR")]
    assert "nvidia/OpenMathInstruct-2 cannot be read (RevisionNotFoundError" in line
    assert sum("tree" in path for path in asked) == 1


@pytest.mark.parametrize(
    "name",
    ["../data/train-1.parquet", "/data/train-1.parquet", "x/data/train-1.parquet", "data/.train-1.parquet"],
)
def test_no_name_of_the_hub_leads_elsewhere(name: str) -> None:
    place = HubPlace("openmathinstruct2", HUB_SETS["openmathinstruct2"], COMMIT)
    assert not _wanted(name, place.known.train)
    assert not _wanted(name.replace("train-1", "other"), None)
