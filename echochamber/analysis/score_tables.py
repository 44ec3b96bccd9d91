"""Analyses of scores as tables of text: gains, selection or skill, baselines, support, guesses, scorers."""

from collections.abc import Sequence

import polars as pl

from .headline import percent
from .page_table import Inputs, PageTable, share, signed, target
from .study_folder import Study
from .tables.common import over_seeds
from .tables.errors import two_scorers
from .tables.floors import pass_variants
from .tables.gains import no_training, paired_gains, support
from .tables.selection import selection_or_skill


def gains_table(study: Study, inputs: Sequence[Inputs], chosen: str) -> PageTable | None:
    """Paired changes in every problem set: the gains, and the transfer between sets."""
    tables = [paired_gains(one.problems) for one in inputs if one.problems is not None]
    tables = [table for table in tables if len(table)]
    if not tables or len(tables) < len(inputs):
        return None
    joined = over_seeds(tables, ["problem_set", "quantity"])
    means = (
        pl.concat(tables)
        .group_by("problem_set", "quantity")
        .agg(pl.col("before").mean(), pl.col("after").mean())
    )
    rows = [
        [
            row["problem_set"],
            row["quantity"].replace("_", " "),
            percent(row["before"]),
            percent(row["after"]),
            signed(row["value"], (row["low"], row["high"])),
        ]
        for row in joined.join(
            means, on=["problem_set", "quantity"], how="left", maintain_order="left"
        ).iter_rows(named=True)
        if row["quantity"] not in ("pass@1", "maj@1")  # both are the accuracy
    ]
    targets = [target(inputs[0], set=row[0]) for row in rows]
    note = (
        "Each problem is its own control."
        if len(inputs) == 1
        else "Each seed is its own control; Student’s t over seeds."
    )
    return PageTable(
        "Did the scores really change?",
        ["Problems", "Score", "Before", "After", "Change with 95% interval"],
        rows,
        note,
        targets,
    )


def selection_table(study: Study, inputs: Sequence[Inputs], chosen: str) -> PageTable | None:
    """Selection against skill, with the range left open by formats that died out."""
    tables = [
        selection_or_skill(one.counted, one.last, one.formats) for one in inputs if one.counted is not None
    ]
    tables = [table for table in tables if len(table)]
    if not tables or len(tables) < len(inputs):
        return None
    names = {
        "gain": "whole gain",
        "selection": "choosing more accurate formats",
        "skill": "being right more often within a format",
    }
    ranges = pl.concat(tables).group_by("part").agg(pl.col("at_least").min(), pl.col("at_most").max())
    rows = [
        [
            names[row["part"]],
            signed(row["value"], (row["low"], row["high"])),
            f"{100 * row['at_least']:+.1f} to {100 * row['at_most']:+.1f}",
        ]
        for row in over_seeds(tables, ["part"])
        .join(ranges, on="part", how="left", maintain_order="left")
        .iter_rows(named=True)
    ]
    note = (
        "The gain is split exactly, problem by problem. A format that the model no longer writes has no accuracy after RL: "
        "the estimate assumes it kept the one it had, the last column is the range over every accuracy it could have."
    )
    return PageTable(
        "Selection or skill?",
        ["Part of the accuracy gain", "Estimate with 95% interval", "Whatever died out could do"],
        rows,
        note,
        [target(inputs[0]) for _ in rows],
    )


def support_table(study: Study, inputs: Sequence[Inputs], chosen: str) -> PageTable | None:
    """Problems kept, gained, lost and never solved within k tries."""
    tables = [support(one.problems, chosen) for one in inputs if one.problems is not None]
    tables = [table for table in tables if len(table)]
    if not tables or len(tables) < len(inputs):
        return None
    joined = over_seeds(tables, ["k", "kind"])
    kinds = ["kept", "gained", "lost", "never"]
    cells = {(row["k"], row["kind"]): share(row) for row in joined.iter_rows(named=True)}
    rows = [
        [str(k), *(cells.get((k, kind), "not estimable") for kind in kinds)]
        for k in sorted({k for k, _ in cells})
    ]
    note = "Chance that a problem is solved within k tries by both models, only after RL, only before, or by neither."
    return PageTable(
        "Which problems were gained, which were lost?",
        ["k", *kinds],
        rows,
        note,
        [target(inputs[0]) for _ in rows],
    )


def variants_table(study: Study, inputs: Sequence[Inputs], chosen: str) -> PageTable | None:
    """pass@k on answers, on whole solutions, and by chance."""
    found = [
        pass_variants(one.records, chosen, (0, one.last)).with_columns(last=pl.col("step") > 0)
        for one in inputs
        if one.records is not None and one.last
    ]
    if not found or len(found) < len(inputs):
        return None
    joined = over_seeds(found, ["last", "kind", "k"])
    names = {
        "answer": "right answer",
        "steps": "right answer by right steps",
        "chance": "another problem’s answer (chance floor)",
    }
    cells = {(row["kind"], row["k"], row["last"]): share(row) for row in joined.iter_rows(named=True)}
    kinds = sorted(
        {(kind, k) for kind, k, _ in cells}, key=lambda pair: (list(names).index(pair[0]), pair[1])
    )
    rows = [
        [names[kind], str(k), *(cells.get((kind, k, last), "not estimable") for last in (False, True))]
        for kind, k in kinds
    ]
    note = "Chance floor: completions held against the answer of another problem of the same family and size."
    return PageTable("Solved, or guessed?", ["Success", "k", "pass@k before", "after"], rows, note)


def baselines_table(study: Study, inputs: Sequence[Inputs], chosen: str) -> PageTable | None:
    """What needs no RL: greedy decoding and a vote on the base, beside the RL model's single tries."""
    if any(one.problems is None or not one.last for one in inputs):
        return None
    tables = [no_training(one.problems, chosen) for one in inputs if one.problems is not None]
    if not all(len(table) for table in tables):
        return None
    rows = [[row["method"], share(row)] for row in over_seeds(tables, ["method"]).iter_rows(named=True)]
    targets = [target(inputs[0], step=0 if row[0].startswith("base") else inputs[0].last) for row in rows]
    note = (
        "Forced formats and lower temperatures need the probe stage, which this study does not have."
        if not study.of_kind("probe")
        else ""
    )
    return PageTable(
        "How much of it needs no training?", ["Method", "Accuracy with 95% interval"], rows, note, targets
    )


def scorers_table(study: Study, inputs: Sequence[Inputs], chosen: str) -> PageTable | None:
    """The headline numbers under the paper's own scorer, first seed."""
    one = inputs[0]
    table = two_scorers(one.records, chosen, (0, one.last)) if one.records is not None and one.last else None
    if table is None or not len(table):
        return None
    rows = [
        [f"step {row['step']}", row["scorer"], row["quantity"], share(row)]
        for row in table.iter_rows(named=True)
    ]
    return PageTable(
        "And under the paper’s own scorer?",
        ["Checkpoint", "Scorer", "Quantity", "Value with 95% interval"],
        rows,
        f"Seed {one.run.seed}.",
    )
