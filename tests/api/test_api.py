"""The Python interface: what `import echochamber` costs and offers, and that its page works."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import echochamber as ec

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "api.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
HEAVY = ("torch", "polars", "pydantic", "matplotlib", "numpy", "typer")


def python(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """A fresh interpreter that finds this package."""
    command = [sys.executable, *arguments]
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "MPLBACKEND": "Agg"}
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=environment)


def test_importing_the_package_loads_nothing_heavy() -> None:
    """Counted in modules, not in seconds: a busy machine says nothing about the package."""
    done = python("-c", f"import sys, echochamber; print([m for m in {HEAVY} if m in sys.modules])")
    assert done.stdout.strip() == "[]", done.stderr


@pytest.mark.slow
def test_importing_the_package_is_quick() -> None:
    """Processor time of the import alone, the interpreter's own start apart: under 0.3 s."""
    code = "import time; t = time.process_time(); import echochamber; print(time.process_time() - t)"
    assert min(float(python("-c", code).stdout) for _ in range(3)) < 0.3


def test_every_public_name_is_there_and_listed() -> None:
    assert set(ec.__all__) <= set(dir(ec))
    for name in ec.__all__:
        assert getattr(ec, name) is not None
    assert set(ec._MODULES) | {"__version__"} == set(ec.__all__)


def test_no_public_name_is_that_of_a_room() -> None:
    """Importing a room sets an attribute of its name on the package, which would hide the function."""
    rooms = {found.parent.name for found in Path(ec.__file__).parent.glob("*/__init__.py")}
    assert len(rooms) > 10
    assert not rooms & set(ec.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        ec.nothing  # noqa: B018


def test_type_checkers_see_the_same_names_from_the_same_modules() -> None:
    tree = ast.parse(Path(ec.__file__).read_text(encoding="utf-8"))
    (block,) = [
        node
        for node in tree.body
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING"
    ]
    typed = {name.name: item.module for item in block.body for name in item.names}
    assert typed == ec._MODULES


def test_every_function_has_a_section_with_an_example() -> None:
    sections = re.split(r"^##+ ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    for name in ec.__all__:
        if name[0].islower():
            (section,) = [text for text in sections if text.startswith(f"{name}\n")]
            assert "```python" in section
    assert all(f"ec.{name}" in "".join(BLOCKS) for name in ec.__all__ if name[0].islower())


@pytest.mark.slow
def test_the_examples_of_the_page_run_in_order(tmp_path: Path) -> None:
    script = tmp_path / "page.py"
    script.write_text("\n".join(BLOCKS), encoding="utf-8")
    done = python(str(script), cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    assert (tmp_path / "dynamics.png").is_file()
    assert "shout" in done.stdout


def test_a_folder_that_is_no_study_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ec.UserError, match="study.json"):
        ec.Study(tmp_path)


def test_overrides_need_a_recipe_by_name() -> None:
    recipe = ec.load_recipe("smoke")
    for call in (
        lambda: ec.run_study(recipe, overrides=["seeds=[1]"]),
        lambda: ec.train_rl(recipe, "nowhere", overrides=["seeds=[1]"]),
    ):
        with pytest.raises(ec.UserError, match="give them to load_recipe"):
            call()


def test_grade_is_the_graders_verdict() -> None:
    verdict = ec.grade("The answer is: 18", "18")
    assert (verdict.format, verdict.answer, verdict.outcome) == ("metamath", "18", "correct")
