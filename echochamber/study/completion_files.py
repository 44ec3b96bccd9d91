"""Files of completions: records of an evaluation or rollouts of RL, or rows of JSON with a `text`."""

from pathlib import Path

import polars as pl

from ..core.errors import UserError
from ..core.jsonl import read_jsonl


def read_completions(path: Path) -> tuple[list[str], list[str]]:
    """Texts and the id of each one's problem. Greedy completions are left out.

    The id is `problem_id`; rows without one are each a problem of their own.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    if path.suffix == ".parquet":
        try:
            rows = pl.read_parquet(path).to_dicts()
        except pl.exceptions.PolarsError as error:
            raise UserError(f"{path}: is no Parquet file that can be read ({error})".split("\n")[0]) from None
    else:
        rows = [row for _, row in read_jsonl(path)]
    kept = [row for row in rows if row.get("sample") != -1]
    bad = next((i for i, row in enumerate(kept) if not isinstance(row.get("text"), str)), None)
    if bad is not None:
        raise UserError(f"{path}: row {bad} has no text in the column 'text'; found {', '.join(kept[bad])}")
    ids = [str(row.get("problem_id", i)) for i, row in enumerate(kept)]
    return [row["text"] for row in kept], ids
