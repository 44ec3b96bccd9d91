"""What RL gained on a given base: greedy and sampled accuracy before and after, by arm, with intervals.

    python benchmarks/gain_of_arms.py STUDY --out FOLDER

Writes `greedy.csv` (a row per arm, seed and problem: right before, right after) and `gains.csv`. A gain is
the mean over problems and seeds of after minus before. Its interval is a bootstrap of 10,000 resamples of
problems, seeds kept together: it holds for other problems, not for other seeds, of which there are few.
"""

import argparse
from pathlib import Path

import numpy as np
import polars as pl

DRAWS = 10_000


def records(study: Path) -> pl.DataFrame:
    """All completions of the study's finished evaluations; the base is arm `base`."""
    files = sorted((study / "artifacts").glob("evaluate-*/records.parquet"))
    return pl.concat([pl.read_parquet(file) for file in files])


def pairs(rows: pl.DataFrame) -> pl.DataFrame:
    """Accuracy per arm, seed and problem `before` and `after`; the base is that of the seed, or of all."""
    scored = rows.group_by("arm", "seed", "problem_id", "reference").agg(pl.col("correct").mean())
    before = scored.filter(pl.col("arm") == "base").drop("arm").rename({"correct": "before"})
    after = scored.filter(pl.col("arm") != "base").rename({"correct": "after"})
    of_all = before["seed"].n_unique() == 1
    keys = ["problem_id", "reference"] if of_all else ["seed", "problem_id", "reference"]
    before = before.drop("seed") if of_all else before
    return after.join(before, on=keys).sort("arm", "seed", "problem_id")


def interval(differences: pl.DataFrame) -> tuple[float, float]:
    """Of the mean of `value`, in points, over resampled problems."""
    means = (
        differences.group_by("problem_id").agg(pl.col("value").mean()).sort("problem_id")["value"].to_numpy()
    )
    drawn = np.random.default_rng(0).integers(0, len(means), (DRAWS, len(means)))
    low, high = np.percentile(means[drawn].mean(axis=1), [2.5, 97.5])
    return 100 * float(low), 100 * float(high)


def gains(paired: pl.DataFrame, kind: str) -> pl.DataFrame:
    """One row per arm: all its seeds together."""
    found = []
    for (arm,), rows in paired.group_by("arm", maintain_order=True):
        low, high = interval(rows.with_columns(value=pl.col("after") - pl.col("before")))
        before, after = (100 * rows[name].mean() for name in ("before", "after"))  # type: ignore[operator]
        row = {"arm": arm, "completions": kind, "seeds": rows["seed"].n_unique()}
        row |= {"problems": rows["problem_id"].n_unique(), "before": before, "after": after}
        found.append(row | {"gain": after - before, "low": low, "high": high})
    return pl.DataFrame(found)


def main() -> None:
    """Print and write both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("study", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    rows = records(given.study)
    greedy = pairs(rows.filter(pl.col("sample") < 0))
    sampled = pairs(rows.filter(pl.col("sample") >= 0))
    table = pl.concat([gains(greedy, "greedy"), gains(sampled, "sampled")])
    greedy.write_csv(given.out / "greedy.csv")
    table.write_csv(given.out / "gains.csv", float_precision=1)
    with pl.Config(tbl_rows=-1, tbl_cols=-1, tbl_width_chars=150):
        print(table)
        print(greedy.group_by("arm", "seed").agg(pl.col("before", "after").mean()).sort("arm", "seed"))
        by = greedy.group_by("arm", "reference").agg(pl.len(), pl.col("before", "after").mean())
        print(by.sort("arm", "reference"))


if __name__ == "__main__":
    main()
