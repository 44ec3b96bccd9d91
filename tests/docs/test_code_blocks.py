"""Every code block of README, docs and examples: it runs, it is read as what it is, or a reason says why not.

`<!-- run -->` before a block says that it runs, in the page's order, in one empty folder. A block below
`<!-- file: NAME -->` is that file. `<!-- not run: REASON -->` is for Python that needs what a reader has.

Commands without a mark take minutes to hours, a GPU, the hub, or files of a reader. Of `echochamber` every
option, recipe and override is checked. Of other programs, what lies in this repository: targets of make,
scripts and their options, modules, extras. YAML is read as part of a recipe. `text` is no code.
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
import yaml

from echochamber.cli.app import app
from echochamber.study.recipe import load_recipe

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
    *sorted(DOCS.rglob("*.md")),
    *sorted(ROOT.glob("examples/*/README.md")),
]
RUN_ELSEWHERE = {"api.md": "tests/api/test_api.py"}
"""Pages whose Python another test runs, in one session."""
BLOCK = re.compile(
    r"(?:^<!-- (run|file: [\w.-]+|not run: [^\n]+) -->\n\n)?^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL
)
LANGUAGES = {"python", "bash", "yaml", "json", "text"}
TAKES_RECIPE = {"study", "show", "prepare", "pretrain", "rl"}
INSTALLERS = {"pip", "uv", "pipx", "docker", "tensorboard", ".ci/run"}
"""Programs of others, and the gate that a clone does not hold. Their lines are tried by hand."""


@dataclass(frozen=True)
class Block:
    mark: str
    language: str
    text: str


def blocks(page: Path) -> list[Block]:
    """A page's code blocks in their order."""
    return [Block(*found) for found in BLOCK.findall(page.read_text(encoding="utf-8"))]


def shell_lines(block: Block) -> list[list[str]]:
    """Words of each command of a bash block, without comments; `&&` joins two commands."""
    if block.language != "bash":
        return []
    found, pending = [], ""
    for line in block.text.replace("\\\n", " ").splitlines():
        pending += line
        try:
            words = shlex.split(pending, comments=True)
        except ValueError:  # a quotation that goes on in the next line
            pending += "\n"
            continue
        pending = ""
        while "&&" in words:
            found.append(words[: words.index("&&")])
            words = words[words.index("&&") + 1 :]
        found.append(words)
    assert not pending, f"a quotation without an end in {block.text!r}"
    return [words for words in found if words]


def commands(block: Block) -> list[list[str]]:
    """Arguments of each `echochamber` command of a bash block, those of torchrun and uv included."""
    found = []
    for words in shell_lines(block):
        words = words[: words.index(">")] if ">" in words else words
        if words[:3] == ["docker", "run", "--rm"]:
            found.append(words[words.index("echochamber") + 1 :])
        elif words[0] == "torchrun" and "-m" in words:
            found.append(words[words.index("-m") + 2 :])
        elif words[0].endswith("echochamber"):
            found.append(words[1:])
        elif words[:2] == ["uv", "run"]:
            found.append(words[words.index("echochamber") + 1 :])
    return found


def written_by(page: Path) -> set[str]:
    """Files that blocks of the page make: by a mark, or by a redirection."""
    found = {block.mark.removeprefix("file: ") for block in blocks(page) if block.mark.startswith("file: ")}
    lines = [words for block in blocks(page) for words in shell_lines(block)]
    return found | {words[words.index(">") + 1] for words in lines if ">" in words}


RUNNABLE = [page for page in PAGES if any(block.mark == "run" for block in blocks(page))]
LINES = [(page, line) for page in PAGES for block in blocks(page) for line in commands(block)]
OTHERS = [
    (page, words)
    for page in PAGES
    for block in blocks(page)
    for words in shell_lines(block)
    if not words[0].endswith("echochamber")
]
SETTINGS = [
    (page, block) for page in PAGES for block in blocks(page) if block.language == "yaml" and not block.mark
]


def name_of(value: object) -> str:
    """A test's name: page, and the first words of a command."""
    if isinstance(value, Path):
        return value.stem if value.name != "README.md" or value.parent == ROOT else value.parent.name
    return " ".join(value[:2]) if isinstance(value, list) else "block"


def test_the_pages_have_what_is_looked_for():
    assert len(PAGES) >= 40
    assert len(RUNNABLE) >= 7
    assert len(LINES) >= 60
    assert len(SETTINGS) >= 4
    for page in PAGES:
        found = blocks(page)
        assert len(found) == len(re.findall(r"^```", page.read_text(), re.MULTILINE)) / 2, page.name
        assert {block.language for block in found} <= LANGUAGES, page.name
        marks = page.read_text().count("<!-- run") + page.read_text().count("<!-- not run")
        assert marks == sum("run" in block.mark.split(":")[0] for block in found), page.name


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_python_of_a_page_is_run_or_says_why_not(page):
    for block in blocks(page):
        if block.language == "python":
            compile(block.text, page.name, "exec")
            assert block.mark or page.name in RUN_ELSEWHERE, f"{page.name}: Python that no test runs"
    if page.name in RUN_ELSEWHERE:
        assert page.name in (ROOT / RUN_ELSEWHERE[page.name]).read_text(encoding="utf-8")


@pytest.mark.usefixtures("forgotten")
@pytest.mark.parametrize(("page", "line"), LINES, ids=name_of)
def test_a_command_line_parses(page, line, monkeypatch):
    """Options and arguments are known; the recipe and its overrides are read where it is shipped."""
    name, *arguments = line
    command = typer.main.get_command(app).commands[name]
    context = command.make_context(name, list(arguments))
    assert not context.args
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr("echochamber.study.recipe.check_installed", lambda *_: None)  # of trackers
    recipe = str(context.params.get("recipe") or "")
    if name in TAKES_RECIPE and recipe not in written_by(page):
        load_recipe(recipe, context.params.get("overrides") or [])


@pytest.mark.parametrize(("page", "words"), OTHERS, ids=name_of)
def test_what_other_commands_name_exists(page, words):
    program, *arguments = words
    named = Path(program).name
    if program == "make":
        (target, *variables) = arguments
        makefile = (ROOT / "Makefile").read_text()
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)
        assert all(re.search(rf"^{name.partition('=')[0]}\b", makefile, re.MULTILINE) for name in variables)
    elif named in ("python", "python3", "bash") and arguments[0] not in ("-m", "-c"):
        script = (ROOT / arguments[0]).read_text(encoding="utf-8")
        options = {word for word in arguments[1:] if word.startswith("--")}
        passed_on = "$@" in script  # to the command whose options they are
        assert passed_on or all(f'"{option}"' in script for option in options), page.name
    elif named in ("python", "python3", "torchrun"):
        assert arguments[arguments.index("-m") + 1] in ("venv", "echochamber"), words
    else:
        assert named in INSTALLERS or program in INSTALLERS, f"{page.name}: {words}"
        extras = re.findall(r"echochamber\[(\w+)\]", " ".join(arguments))
        known = (ROOT / "pyproject.toml").read_text()
        assert all(re.search(rf"^{extra} = \[", known, re.MULTILINE) for extra in extras)


@pytest.mark.usefixtures("forgotten")
@pytest.mark.parametrize(("page", "block"), SETTINGS, ids=name_of)
def test_yaml_of_a_page_is_a_part_of_a_recipe(page, block, tmp_path, monkeypatch):
    """`smoke` with these keys is a recipe. Keys of a mixture alone stand in a mixture of its own."""
    monkeypatch.chdir(ROOT)
    settings = yaml.safe_load(block.text)
    if set(settings) == {"sources"}:
        settings = {"mixtures": {"mix": settings | {"budget_tokens": "1M"}}}
    for other in blocks(page):
        if other.mark.startswith("file: "):
            (tmp_path / other.mark.removeprefix("file: ")).write_text(other.text, encoding="utf-8")
    modules = [str(tmp_path / name) for name in settings.pop("modules", [])]
    known = {"extends": "smoke", "name": "of-a-page"} | settings | ({"modules": modules} if modules else {})
    (tmp_path / "of-a-page.yaml").write_text(yaml.safe_dump(known, sort_keys=False), encoding="utf-8")
    assert load_recipe(str(tmp_path / "of-a-page.yaml"), []).name == known["name"]


@pytest.mark.slow
@pytest.mark.parametrize("page", RUNNABLE, ids=name_of)
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
