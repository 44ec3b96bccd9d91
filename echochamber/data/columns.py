"""Which columns of a user's problem file hold question, answer, solution and id."""

from collections.abc import Mapping

from ..core.config import Config


class ProblemColumns(Config):
    """Names of columns. A named column that a row has is read; else those of the known sets are."""

    question: str | None = None
    answer: str | None = None
    """The reference answer."""
    solution: str | None = None
    """A worked solution, whose last box is the answer where there is no other."""
    id: str | None = None

    def settings(self) -> dict[str, object]:
        """For fingerprints: the names that are given, under `columns`; {} without any."""
        given = {name: value for name, value in self.resolved().items() if value is not None}
        return {"columns": given} if given else {}

    def first(self, name: str, known: tuple[str, ...]) -> tuple[str, ...]:
        """Names to look for in a row, in order: the user's own, then those of the known sets."""
        own = getattr(self, name)
        return known if own is None else (own, *known)


def problem_columns(names: Mapping[str, str] | None) -> ProblemColumns | None:
    """Names of columns by what they hold; `UserError` for an unknown key, None for None."""
    return None if names is None else ProblemColumns.parse(names, "columns")


def mapping_to_paste(row: Mapping[str, object]) -> str:
    """A guess at the mapping of a row that fits no layout: the longest text asks, the shortest answers."""
    texts = sorted((len(str(value)), str(name)) for name, value in row.items() if value not in (None, ""))
    if len(texts) < 2:
        return "question and answer need a column each"
    return (
        "name them in the recipe, as in columns: "
        f"{{question: {texts[-1][1]!r}, answer: {texts[0][1]!r}}} (as an option: "
        f"--columns {f'question={texts[-1][1]},answer={texts[0][1]}'!r})"
    )
