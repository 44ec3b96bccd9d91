"""Documentation is readable: short sentences in standard words, measured by benchmarks/prose.py."""

import importlib.util
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HISTORY = {"LOG.md"}
"""Pages that keep the words they were written in."""
GENERATED = {"RESULTS.md"}
"""Pages that a command writes; their words are in the package."""
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    ROOT / "SECURITY.md",
    ROOT / "examples" / "own-algorithm" / "README.md",
    *(path for path in sorted((ROOT / "docs").rglob("*.md")) if path.name not in HISTORY | GENERATED),
]
MOST_WORDS = 18
"""Words of an average sentence."""


@pytest.fixture(scope="module")
def prose():
    spec = importlib.util.spec_from_file_location("prose", ROOT / "benchmarks" / "prose.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["prose"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    yield module
    del sys.modules["prose"]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_page_has_short_sentences_and_no_private_words(prose, path):
    (page,) = prose.of_pages([path])
    assert page.sentences
    assert page.average < MOST_WORDS
    assert page.private == []
    assert len(page.long) <= len(page.sentences) / 50, page.long


def test_every_help_text_has_short_sentences_and_no_private_words(prose):
    commands = prose.of_help()
    assert {"echochamber study", "echochamber ledger"} <= {command.name for command in commands}
    for command in commands:
        assert command.average < MOST_WORDS, command.name
        assert command.private == []


def test_tables_code_and_headings_are_left_out(prose):
    text = (
        "# A title\n\nOne `x = 1` two. Three [four five](page.md) six!\n\n"
        "| a | b |\n\n```\nnot. This.\n```\n\n- seven\n"
    )
    assert prose.sentences_of(text) == ["One CODE two.", "Three four five six!", "seven"]
    assert [prose.num_words(sentence) for sentence in prose.sentences_of(text)] == [3, 4, 1]


def test_long_sentences_and_private_words_are_found(prose):
    page = prose.Prose("page", ["word " * 33 + ".", "The surface cues were paid."])
    assert len(page.long) == 1
    assert [found.split(":")[0] for found in page.private] == ["cues", "paid"]
    assert page.average == 19


def test_docstrings_of_public_names_are_found(prose, tmp_path):
    (tmp_path / "a.py").write_text(
        '"""Module."""\n\nX = 1\n"""Value."""\n\n\n'
        'def f():\n    """Function."""\n\n\ndef _g():\n    """Private."""\n'
    )
    (file,) = prose.of_docstrings(tmp_path)
    assert file.sentences == ["Module.", "Value.", "Function."]
