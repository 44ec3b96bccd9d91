"""How formats are shown: title and colour index, for shipped and own formats alike.

The report runs without the user's modules. A study's own formats are therefore read from the
`own_formats` of its `study.json`. Studies from before that key have the names of their twins in the
recipe, and no titles.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ..core.formats import SHIPPED_FORMATS


@dataclass(frozen=True)
class FormatDisplay:
    """What a reader sees of one format."""

    name: str
    title: str
    """`Python function`; empty where nobody gave one."""
    color: int
    """Index into a palette.

    The shipped formats in their order, then the own ones in order of registration.
    """

    @property
    def label(self) -> str:
        """`Python function (tinygsm)`; the name alone where there is no title."""
        return f"{self.title} ({self.name})" if self.title else self.name


def format_displays(own: Mapping[str, str], seen: Iterable[str] = ()) -> dict[str, FormatDisplay]:
    """Every format of a study by name, in order of display.

    `own`: name -> title of the formats that are not shipped, in order of registration.
    `seen`: names found in the results; those that are listed nowhere come last, without a title.
    """
    shipped = {row.name: row.title for row in SHIPPED_FORMATS}
    titles = shipped | {name: title for name, title in own.items() if name not in shipped}
    titles |= {name: "" for name in seen if name not in titles}
    return {name: FormatDisplay(name, title, color) for color, (name, title) in enumerate(titles.items())}


Formats = Mapping[str, FormatDisplay]
"""Format -> how the page shows it."""


def format_label(name: str, formats: Formats) -> str:
    """`Python function (tinygsm)`."""
    return formats[name].label if name in formats else name
