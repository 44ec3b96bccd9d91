"""Measures how readable the documentation is: sentence length and private words.

    python benchmarks/prose.py README.md docs/*.md   # Markdown pages
    python benchmarks/prose.py --help-texts          # every --help of the command line
    python benchmarks/prose.py --docstrings          # public docstrings of the package
    python benchmarks/prose.py --long docs/data.md   # also prints long sentences and private words

Code blocks, tables and headings are left out. A word is anything between spaces that has a letter or a
digit; a link counts as its text, inline code as one word. A block without a full stop is one sentence.
"""

import argparse
import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
LONG = 32
"""A sentence of more words than this is called long."""

PRIVATE = (
    "aside", "asides", "board", "boards", "cue", "cues", "foretell", "foretells", "foretold", "givens",
    "heat", "paid", "paying", "pays", "piece", "pieces", "room", "rooms", "spans", "trouble", "troubles",
    "unheard", "waves", "a form", "of their day", "the given", "by worth",
)  # fmt: skip
"""Words that this project once used where the field has a term; a plain use of them can be reworded."""

_FENCE = re.compile(r"^(```|~~~).*?^\1\s*$", re.MULTILINE | re.DOTALL)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_IMAGE = re.compile(r"!\[[^\]]*\]\([^)]*\)")
_CODE = re.compile(r"(`+)(.+?)\1", re.DOTALL)
_INTERVAL = re.compile(r"\[(-?[\d.]+ to -?[\d.]+)\]")
_LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")
_BREAK = re.compile(r"^(\s*[-*+] |\s*\d+\. |>)", re.MULTILINE)
_END = re.compile(r"(?<=[.!?])[)\"'*]*\s+(?=[A-Z0-9(`*\"'\[]|CODE)")
_SHORT = re.compile(r"\b(e\.g|i\.e|eq|sec|al|vs|Dr|Fig|no)\.(?=\s)")


@dataclass(frozen=True)
class Prose:
    """What was measured of one text."""

    name: str
    sentences: list[str]

    @property
    def average(self) -> float:
        """Words per sentence."""
        return sum(map(num_words, self.sentences)) / max(len(self.sentences), 1)

    @property
    def long(self) -> list[str]:
        """Sentences of more than `LONG` words."""
        return [sentence for sentence in self.sentences if num_words(sentence) > LONG]

    @property
    def private(self) -> list[str]:
        """Private words, each with the sentence that holds it."""
        return [
            f"{word}: {sentence}"
            for sentence in self.sentences
            for word in PRIVATE
            if re.search(rf"\b{word}\b", sentence, re.IGNORECASE)
        ]


def num_words(sentence: str) -> int:
    """Words of a sentence, punctuation not counted."""
    return sum(bool(re.search(r"\w", word)) for word in sentence.split())


def sentences_of(text: str) -> list[str]:
    """The sentences of a Markdown text, inline code replaced by CODE."""
    text = _FENCE.sub("\n\n", text)
    text = _COMMENT.sub("", text)
    text = _CODE.sub("CODE", _INTERVAL.sub(r"(\1)", _IMAGE.sub("", text)))
    text = _LINK.sub(r"\1", text)
    lines = ["" if line.lstrip().startswith(("|", "#", ">>>")) else line for line in text.splitlines()]
    blocks = re.split(r"\n\s*\n", _BREAK.sub("\n\n", "\n".join(lines)))
    found = []
    for block in blocks:
        flat = _SHORT.sub(r"\1", " ".join(block.split())).replace("**", "")
        found += [sentence for sentence in _END.split(flat) if num_words(sentence)]
    return found


def of_pages(paths: list[Path]) -> list[Prose]:
    """One measurement for each Markdown page."""
    return [Prose(str(path), sentences_of(path.read_text())) for path in paths]


def of_help() -> list[Prose]:
    """One measurement for each command: its description, its arguments' and its example."""
    import typer

    from echochamber.cli.app import app

    commands = getattr(typer.main.get_command(app), "commands", {})
    return [
        Prose(
            f"echochamber {name}",
            [
                sentence
                for text in (command.help, *(getattr(p, "help", None) for p in command.params))
                for sentence in sentences_of(text or "")
            ],
        )
        for name, command in ((name, lazy.load()) for name, lazy in commands.items())
    ]


def of_docstrings(folder: Path = ROOT / "echochamber") -> list[Prose]:
    """One measurement for each file: its own docstring and those of its public names."""
    files = []
    for path in sorted(folder.rglob("*.py")):
        texts = list(docstrings(ast.parse(path.read_text())))
        if texts:
            found = [sentence for text in texts for sentence in sentences_of(text)]
            files.append(Prose(str(path.relative_to(folder.parent)), found))
    return files


def docstrings(node: ast.AST) -> Iterator[str]:
    """Docstrings of a module, of its public classes and functions, and those under an assignment."""
    body = getattr(node, "body", [])
    for before, child in zip([None, *body], body, strict=False):
        if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant):
            documented = before is None or isinstance(before, ast.Assign | ast.AnnAssign)
            if documented and isinstance(child.value.value, str):
                yield child.value.value
        elif isinstance(child, ast.ClassDef | ast.FunctionDef) and not child.name.startswith("_"):
            yield from docstrings(child)


def main() -> None:
    """Print one line for each text that was asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pages", nargs="*", type=Path)
    parser.add_argument("--help-texts", action="store_true", help="measure the command line")
    parser.add_argument("--docstrings", action="store_true", help="measure the package's docstrings")
    parser.add_argument("--long", action="store_true", help="print long sentences and private words")
    asked = parser.parse_args()
    found = of_pages(asked.pages)
    found += of_help() if asked.help_texts else []
    found += of_docstrings() if asked.docstrings else []
    found.append(Prose("all", [sentence for prose in found for sentence in prose.sentences]))
    print(
        "| text | sentences | words per sentence | over 32 words | private words |\n|---|---:|---:|---:|---:|"
    )
    for prose in found:
        print(
            f"| {prose.name} | {len(prose.sentences)} | {prose.average:.1f} "
            f"| {len(prose.long)} | {len(prose.private)} |"
        )
    if asked.long:
        for prose in found[:-1]:
            for sentence in [*prose.long, *prose.private]:
                print(f"\n{prose.name} ({num_words(sentence)} words): {sentence}")


if __name__ == "__main__":
    main()
