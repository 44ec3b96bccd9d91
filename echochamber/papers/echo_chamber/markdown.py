"""Cells, tables and sections of the results page in Markdown; every sentence stands in `results.md.j2`."""

from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files

import jinja2

from ...claims.estimate import estimate

TextRows = Sequence[Sequence[str]]


def table(columns: Sequence[str], rows: TextRows) -> str:
    """A Markdown table; cells may hold anything."""
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    escaped = ([cell.replace("|", "\\|").replace("\n", " ") for cell in row] for row in rows)
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in escaped)])


def mean_text(seeds: Mapping[int, float] | None, digits: int = 3) -> str:
    """`0.412 [0.380 to 0.444]` over seeds, without brackets for a single one; a dash for none."""
    if not seeds:
        return "–"
    found = estimate(seeds, "above", 0.0)
    around = f" [{found.low:.{digits}f} to {found.high:.{digits}f}]" if found.low == found.low else ""
    return f"{found.mean:.{digits}f}{around}"


def seeds_text(count: int) -> str:
    """`1 seed`, `3 seeds`."""
    return f"{count} {'seed' if count == 1 else 'seeds'}"


def render(section: str, **values: object) -> str:
    """One section of the page: the macro of that name in the template, without blank lines around it."""
    return str(getattr(_template().module, section)(**values)).strip()


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        autoescape=False, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.globals["table"] = table
    environment.filters["seeds_text"] = seeds_text
    text = (files("echochamber.papers.echo_chamber") / "results.md.j2").read_text(encoding="utf-8")
    return environment.from_string(text)
