"""Analyses of scores as tables of text: gains, selection or skill, coverage, support, guesses, scorers."""

from collections.abc import Sequence
from typing import Any

import polars as pl

from ..stats.intervals import t_interval
from .page_table import Cell, Inputs, PageTable, share, signed, target
from .study_folder import Study
from .tables.common import over_seeds
from .tables.coverage import coverage_precision
from .tables.errors import two_scorers
from .tables.floors import pass_variants
from .tables.gains import paired_gains, support
from .tables.selection import selection_or_skill


def gains_table(study: Study, inputs: Sequence[Inputs], chosen: str) -> PageTable | None:
    """Paired changes in every problem set: the gains, and the transfer between sets."""
    tables = [paired_gains(one.problems) for one in inputs if one.problems is not None]
    tables = [table for table in tables if len(table)]
    if not tables or len(tables) < len(inputs):
        return None
    keys = ["problem_set", "quantity"]
    ends = [_end(tables, keys, end) for end in ("before", "after")]
    rows = []
    for change, before, after in zip(
        *(table.iter_rows(named=True) for table in (over_seeds(tables, keys), *ends)), strict=True
    ):
        if change["quantity"] in ("pass@1", "maj@1"):  # both are the accuracy
            continue
        first, last = (target(inputs[0], set=change["problem_set"]) | step for step in ({"step": 0}, {}))
        rows.append(
            [
                change["problem_set"],
                change["quantity"].replace("_", " "),
                Cell(share(before), first),
                Cell(share(after), last),
                Cell(signed(change["value"], (change["low"], change["high"])), last | {"change": "gained"}),
            ]
        )
    note = "Each problem is its own control. " if len(inputs) == 1 else "Each seed is its own control. "
    columns = ["Problems", "Score", "Before", "After", "Change with 95% interval"]
    return PageTable("Did the scores really change?", columns, rows, note)


def _end(tables: Sequence[pl.DataFrame], keys: list[str], end: str) -> pl.DataFrame:
    """One end of the paired gains over seeds, in the order of the keys."""
    parts = [table.select(*keys, value=end, low=f"{end}_low", high=f"{end}_high") for table in tables]
    return over_seeds(parts, keys, clip=(0, 1))


def selection_table(study: Study, inputs: Sequence[Inputs], chosen: str) -> PageTable | None:
    """Selection against skill, with the range left open by formats that nobody measured."""
    tables = [
        selection_or_skill(one.counted, one.last, one.formats, one.forced)
        for one in inputs
        if one.counted is not None
    ]
    tables = [table for table in tables if len(table)]
    if not tables or len(tables) < len(inputs):
        return None
    names = {
        "gain": "whole gain",
        "selection": "choosing more accurate formats",
        "skill": "being right more often within a format",
    }
    joined = over_seeds(tables, ["part"])
    rows: list[list[str]] = [
        [
            names[row["part"]],
            Cell(signed(row["value"], (row["low"], row["high"])), target(inputs[0], change="gained")),
            _range(tables, row["part"], target(inputs[0], change="gained")),
        ]
        for row in joined.iter_rows(named=True)
    ]
    forced = all(one.forced is not None for one in inputs)
    note = (
        "The gain is split exactly, problem by problem. Where a format was not written, its accuracy is that under forced decoding; "
        "what nobody measured is assumed unchanged, and the last column is the range over every accuracy it could have. "
        if forced
        else "The gain is split exactly, problem by problem. A format that the model no longer writes has no accuracy after RL: "
        "the estimate assumes it kept the one it had, the last column is the range over every accuracy it could have. "
    )
    columns = ["Part of the accuracy gain", "Estimate with 95% interval", "Range over what is unmeasured"]
    return PageTable("Selection or skill?", columns, rows, note)


def _range(tables: Sequence[pl.DataFrame], part: str, goal: dict[str, Any]) -> str:
    """`+7.8 to +38.2 [+5.1 to +41.0]`: the mean range over seeds, and the outer ends of the intervals of its two ends."""
    rows = [table.row(by_predicate=pl.col("part") == part, named=True) for table in tables]
    least, most = ([row[end] for row in rows] for end in ("at_least", "at_most"))
    if least == most:
        return "nothing unmeasured"
    low, high = (
        (rows[0]["at_least_low"], rows[0]["at_most_high"])
        if len(rows) == 1
        else (t_interval(least)[0], t_interval(most)[1])
    )
    ends = (max(100 * low, -100), min(100 * high, 100))
    return Cell(
        f"{100 * sum(least) / len(least):+.1f} to {100 * sum(most) / len(most):+.1f} [{ends[0]:+.1f} to {ends[1]:+.1f}]",
        goal,
    )


def coverage_table(study: Study, inputs: Sequence[Inputs], chosen: str) -> PageTable | None:
    """More problems solved at all, or solved ones solved more often."""
    tables = [coverage_precision(one.problems, chosen) for one in inputs if one.problems is not None]
    tables = [table for table in tables if len(table)]
    if not tables or len(tables) < len(inputs) or len({table["k"][0] for table in tables}) > 1:
        return None
    k = tables[0]["k"][0]
    shares = over_seeds(
        [t.filter(pl.col("side") != "gain") for t in tables], ["quantity", "side"], clip=(0, 1)
    )
    cells = {(row["quantity"], row["side"]): share(row) for row in shares.iter_rows(named=True)}
    gains = over_seeds([t.filter(pl.col("side") == "gain") for t in tables], ["quantity"])
    parts = {
        row["quantity"]: signed(row["value"], (row["low"], row["high"]))
        for row in gains.iter_rows(named=True)
    }
    names = {
        "coverage": f"coverage: pass@{k}",
        "precision": f"precision: accuracy / pass@{k}",
    }
    goals = (target(inputs[0], step=0), target(inputs[0]), target(inputs[0], change="gained"))
    rows = [
        [
            label,
            *(
                Cell(text, goal)
                for text, goal in zip(
                    (cells[name, "before"], cells[name, "after"], parts[name]), goals, strict=True
                )
            ),
        ]
        for name, label in names.items()
    ]
    note = f"Coverage: a problem is solved at all within {k} tries. Accuracy is coverage times precision; the last column splits its gain between the two, exactly. "
    return PageTable(
        "More problems, or the same ones more often?", ["Part", "Before", "After", "Of the gain"], rows, note
    )


def support_table(study: Study, inputs: Sequence[Inputs], chosen: str) -> PageTable | None:
    """Problems kept, gained, lost and never solved within k tries."""
    tables = [support(one.records, chosen, one.last) for one in inputs if one.records is not None]
    tables = [table for table in tables if len(table)]
    if not tables or len(tables) < len(inputs):
        return None
    joined = over_seeds(tables, ["k", "kind"], clip=(0, 1))
    changes = {"kept": "kept", "gained": "gained", "lost": "lost", "never": "missed"}
    cells = {(row["k"], row["kind"]): share(row) for row in joined.iter_rows(named=True)}
    rows = [
        [
            str(k),
            *(
                Cell(cells.get((k, kind), "not estimable"), target(inputs[0], change=change))
                for kind, change in changes.items()
            ),
        ]
        for k in sorted({k for k, _ in cells})
    ]
    note = (
        "Chance that a problem is solved within k tries by both models, only after RL, only before, or by neither. "
        "Each model’s tries are other samples than the other’s, so k ends at half of them. "
    )
    return PageTable("Which problems were gained, which were lost?", ["k", *changes], rows, note)


def variants_table(study: Study, inputs: Sequence[Inputs], chosen: str) -> PageTable | None:
    """pass@k on answers, on whole solutions, and by chance."""
    found = [
        pass_variants(one.records, chosen, (0, one.last)).with_columns(last=pl.col("step") > 0)
        for one in inputs
        if one.records is not None and one.last
    ]
    if not found or len(found) < len(inputs):
        return None
    joined = over_seeds(found, ["last", "kind", "k"], clip=(0, 1))
    names = {
        "answer": "Right answer",
        "steps": "By right steps",
        "chance": "Chance floor",
    }
    cells = {(row["k"], row["kind"], row["last"]): share(row) for row in joined.iter_rows(named=True)}
    goals = {False: target(inputs[0], step=0), True: target(inputs[0])}
    sides = [(kind, last) for kind in names if any(kind == key[1] for key in cells) for last in goals]
    rows = [
        [str(k), *(Cell(cells.get((k, *side), "not estimable"), goals[side[1]]) for side in sides)]
        for k in sorted({key[0] for key in cells})
    ]
    columns = ["k", *(f"{names[kind]}, {'after' if last else 'before'}" for kind, last in sides)]
    note = "Chance that at least one of k tries succeeds. Right steps: every step checked and right. Chance floor: completions held against the answer of another problem of the same family and size. "
    return PageTable("Solved, or guessed?", columns, rows, note)


def scorers_table(study: Study, inputs: Sequence[Inputs], chosen: str) -> PageTable | None:
    """The headline numbers under the paper's own scorer beside ours."""
    found = [
        two_scorers(one.records, chosen, (0, one.last)).with_columns(last=pl.col("step") > 0)
        for one in inputs
        if one.records is not None and one.last
    ]
    if len(found) < len(inputs) or not all(len(table) for table in found):
        return None
    complete = [_with_unwritten(table, found) for table in found]
    keys = ["scorer", "quantity", "last"]
    cells = {
        tuple(row[key] for key in keys): share(row)
        for row in over_seeds(complete, keys, clip=(0, 1)).iter_rows(named=True)
    }
    goals = {False: target(inputs[0], step=0), True: target(inputs[0])}
    rows = [
        [
            scorer,
            quantity,
            *(
                Cell(cells.get((scorer, quantity, last), "not estimable"), goal)
                for last, goal in goals.items()
            ),
        ]
        for scorer, quantity in dict.fromkeys(key[:2] for key in cells)
    ]
    note = "The paper’s scorer labels a completion by the letters “def” or a tag and reads the number from its text where a program fails. "
    return PageTable(
        "And under the paper’s own scorer?", ["Scorer", "Quantity", "Before", "After"], rows, note
    )


def _with_unwritten(table: pl.DataFrame, all_tables: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """`table` with a share of 0, without an interval of its own, for each label that only other seeds or steps have."""
    wanted = pl.concat([other.select("scorer", "quantity") for other in all_tables]).unique(
        maintain_order=True
    )
    grid = wanted.join(pl.DataFrame({"last": [False, True]}), how="cross")
    return grid.join(
        table, on=["scorer", "quantity", "last"], how="left", maintain_order="left"
    ).with_columns(
        value=pl.when(pl.col("quantity").str.starts_with("share of "))
        .then(pl.col("value").fill_null(0.0))
        .otherwise(pl.col("value"))
    )
