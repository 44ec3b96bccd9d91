"""Parts of the cards that an export carries: a YAML header and Markdown that holds any text."""

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath, PureWindowsPath

import yaml

from ..core.errors import UserError


def card(header: Mapping[str, object], parts: Sequence[str]) -> str:
    """A `README.md` of the hub: metadata in YAML, then Markdown."""
    return f"---\n{as_yaml(header)}---\n\n" + "\n\n".join(part.strip("\n") for part in parts if part) + "\n"


def as_yaml(data: object) -> str:
    """YAML in the order of the data, by a dumper that knows plain data only."""
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=110)


def fenced(text: str, language: str) -> str:
    """A code block whose fence is longer than any run of backticks in the text."""
    longest = max((len(run) for run in _backticks(text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def without_folders(data: object) -> object:
    """Plain data with absolute paths cut to their last part: where files lay is nobody else's business."""
    if isinstance(data, Mapping):
        return {key: without_folders(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [without_folders(value) for value in data]
    return _last_part(data) if isinstance(data, str) else data


def words_without_folders(text: str) -> str:
    """Prose in which absolute paths are cut in the same way."""
    return _cut_paths(" ".join(text.split()))


_PATH = re.compile(r"""(?:(?<![\w./:~-])|(?<=file://))~?(?:/[^\s/'"():,;=]+){2,}/?""")
"""An absolute path of two parts or more inside a text, and not the rest of an address or a relative path."""


def _last_part(text: str) -> str:
    """Of an absolute path, also in an address; other text as it is, a word such as `/no_think` too."""
    if PureWindowsPath(text).is_absolute():
        return PureWindowsPath(text).name
    if not text.split(maxsplit=1)[1:]:
        return _cut_paths(text)
    # A path with spaces names a file; a prompt may begin with a slash as well.
    path = PurePosixPath(text)
    return path.name if path.is_absolute() and path.suffix and "\n" not in text else text


def _cut_paths(text: str) -> str:
    return _PATH.sub(lambda found: PurePosixPath(found[0]).name, text)


def one_line(text: object) -> str:
    """Text as one line, without what Markdown or HTML would act on."""
    plain = " ".join(str(text).split())
    for sign in "\\`*_[]<>|#":
        plain = plain.replace(sign, f"\\{sign}")
    return plain


def check_repository(name: str) -> None:
    """`UserError` unless the name is OWNER/NAME as the hub allows."""
    owner, _, rest = name.partition("/")
    if not all(part and part.strip(".-") and set(part) <= _ALLOWED for part in (owner, rest)):
        raise UserError(f"--push {name!r}: expected OWNER/NAME of letters, digits, '-', '_' and '.'")


_ALLOWED = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")


def _cell(value: object) -> str:
    return one_line(f"{value:.3f}" if isinstance(value, float) else "" if value is None else value)


def _backticks(text: str) -> list[str]:
    return "".join(sign if sign == "`" else " " for sign in text).split()
