"""Some of the cases as processes of their own, as a shell starts them: no traceback, exit status 0 or 2."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import strategies as st

from .command import Ended, Portion, check, fuzz, portions, whole_or_absent
from .test_grade_input import lines
from .test_problem_files import problem_file
from .test_recipes import overrides, recipe_file
from .values import damaged


def _run(*arguments: object) -> Ended:
    """A process with the command line; bytes that are no text go through as they are."""
    command = [sys.executable, "-m", "echochamber", *map(str, arguments)]
    done = subprocess.run(
        command,
        capture_output=True,
        timeout=120,
        stdin=subprocess.DEVNULL,
        env=os.environ | {"PYTHONWARNINGS": "ignore"},
    )
    return check(
        Ended(done.returncode, *(text.decode("utf-8", "replace") for text in (done.stdout, done.stderr)))
    )


def _argument(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass").replace(b"\0", b"")


@pytest.mark.parametrize("portion", portions("processes", default=0, size=25))
def test_cases_as_processes(portion: Portion, checkpoint: Path, tmp_path: Path) -> None:
    recipe, source, verdicts = (
        tmp_path / "own.yaml",
        tmp_path / "in.jsonl",
        tmp_path / "out" / "verdicts.jsonl",
    )
    config = (checkpoint / "config.json").read_bytes()

    def one(
        kind: str, given: list[str], text: bytes, graded: bytes, file: tuple[str, bytes], changed: bytes
    ) -> None:
        problems = tmp_path / f"problems{file[0]}"
        if kind == "overrides":
            _run(
                "show",
                "smoke",
                *(os.fsdecode(_argument(f"x{text}" if text[:1] == "-" else text)) for text in given),
            )
        elif kind == "recipe":
            recipe.write_bytes(text)
            _run("show", recipe)
        elif kind == "grade":
            source.write_bytes(graded)
            ended = _run("grade", "--in", source, "--out", verdicts)
            assert verdicts.is_file() == (ended.status == 0)
            verdicts.unlink(missing_ok=True)
        elif kind == "problems":
            problems.write_bytes(file[1])
            where = ["--checkpoint", checkpoint, "--problems", problems, "--out", tmp_path / "scores"]
            _run("evaluate", *where, "--limit", 1, "--samples", 1, "--max-new-tokens", 2)
        else:
            (checkpoint / "config.json").write_bytes(changed)
            try:
                _run("sample", checkpoint, "2 + 2?", "-n", 1, "--max-new-tokens", 2)
            finally:
                (checkpoint / "config.json").write_bytes(config)
        whole_or_absent(recipe)

    fuzz(
        portion,
        one,
        kind=st.sampled_from(["overrides", "recipe", "grade", "problems", "checkpoint"]),
        given=overrides,
        text=recipe_file(),
        graded=lines(),
        file=problem_file(),
        changed=damaged(config),
    )
