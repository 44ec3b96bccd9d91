"""Code of the tutorials, how-tos and new pages: marked blocks run, every command line parses.

`<!-- run -->` before a block says that it runs, in the page's order, in one empty folder. A block below
`<!-- file: NAME -->` is that file. Commands without a mark may take minutes, or need what a reader has; their
options, recipes and overrides are checked.
"""

import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import typer

from echochamber.cli.app import app
from echochamber.study.recipe import load_recipe

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [
    *(DOCS / name for name in ("index.md", "overview.md", "papers.md")),
    *sorted(DOCS.glob("tutorials/*.md")),
    *sorted(DOCS.glob("how-to/*.md")),
]
BLOCK = re.compile(r"(?:^<!-- (run|file: [\w.-]+) -->\n\n)?^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LANGUAGES = {"python", "bash", "yaml", "json", ""}
TAKES_RECIPE = {"study", "show", "prepare", "pretrain", "rl"}


@dataclass(frozen=True)
class Block:
    mark: str
    language: str
    text: str


def blocks(page: Path) -> list[Block]:
    """A page's code blocks in their order."""
    return [Block(*found) for found in BLOCK.findall(page.read_text(encoding="utf-8"))]


def commands(block: Block) -> list[list[str]]:
    """Arguments of each `echochamber` line of a bash block."""
    if block.language != "bash":
        return []
    lines = block.text.replace("\\\n", " ").splitlines()
    return [shlex.split(line)[1:] for line in lines if line.startswith("echochamber ")]


RUNNABLE = [page for page in PAGES if any(block.mark == "run" for block in blocks(page))]
LINES = [(page, line) for page in PAGES for block in blocks(page) for line in commands(block)]


def test_the_pages_have_what_is_looked_for():
    assert len(PAGES) >= 12
    assert len(RUNNABLE) >= 5
    assert len(LINES) >= 25
    for page in PAGES:
        found = blocks(page)
        assert len(found) == page.read_text().count("\n```") / 2, page.name
        assert {block.language for block in found} <= LANGUAGES
        assert page.read_text().count("<!-- run") == sum(block.mark == "run" for block in found)
        python = [block for block in found if block.language == "python"]
        assert all(block.mark == "run" for block in python), f"{page.name}: Python that no test runs"


@pytest.mark.parametrize(
    ("page", "line"), LINES, ids=lambda value: " ".join(value[:2]) if type(value) is list else value.stem
)
def test_a_command_line_parses(page, line, monkeypatch):
    """Options and arguments are known; the recipe and its overrides are read where it is shipped."""
    name, *arguments = line
    command = typer.main.get_command(app).commands[name]
    context = command.make_context(name, list(arguments))
    assert not context.args
    monkeypatch.chdir(ROOT)
    recipe = str(context.params.get("recipe") or "")
    files = {block.mark for block in blocks(page)}
    if name in TAKES_RECIPE and f"file: {recipe}" not in files:
        load_recipe(recipe, context.params.get("overrides") or [])


@pytest.mark.slow
@pytest.mark.parametrize("page", RUNNABLE, ids=lambda page: page.stem)
def test_marked_blocks_run_in_the_order_of_the_page(page, tmp_path):
    environment = os.environ | {"PYTHONPATH": str(ROOT), "MPLBACKEND": "Agg", "NO_COLOR": "1"}
    for block in blocks(page):
        if block.mark.startswith("file: "):
            (tmp_path / block.mark.removeprefix("file: ")).write_text(block.text, encoding="utf-8")
        elif block.mark == "run":
            calls = [["-c", block.text]] if block.language == "python" else []
            calls += [["-m", "echochamber", *line] for line in commands(block)]
            assert calls, f"nothing to run in {block.text!r}"
            for call in calls:
                done = subprocess.run(
                    [sys.executable, *call], capture_output=True, text=True, cwd=tmp_path, env=environment
                )
                assert done.returncode == 0, f"{call[:3]}\n{done.stdout[-1500:]}{done.stderr[-1500:]}"
                assert done.stdout or call[0] != "-m"
                assert not re.search(r"\b[1-9]\d* bad line", done.stdout)
