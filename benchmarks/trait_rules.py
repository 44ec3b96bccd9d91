"""Precision and recall of the shipped traits on labelled completions: python benchmarks/trait_rules.py DATA

DATA is the folder whose files benchmarks/trait_labels.csv names; docs/traits.md has criteria and results.
A label counts only where the digest of its text agrees. By order of digests, the second half is held out.
trait_labels_smollm2.jsonl has texts and labels of SmolLM2-135M-Instruct, given after the rules were fixed.
"""

import argparse
import csv
import gzip
import json
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from echochamber.stats.intervals import wilson
from echochamber.verify.reasoning_traits import SHIPPED_TRAITS

LABELS = Path(__file__).with_name("trait_labels.csv")
LATER = Path(__file__).with_name("trait_labels_smollm2.jsonl")
COLUMNS = ("generated_solution", "response", "model_response")
PROMPT_END = "\nmodel\n"
"""In `model_response` the prompt stands before this."""


class Labelled(NamedTuple):
    """One completion with the traits that the annotator saw."""

    name: str
    text: str
    traits: frozenset[str]
    held_out: bool


def read_labelled(data: Path) -> list[Labelled]:
    """The labelled completions; an error where a text is not the one that was labelled."""
    files: dict[str, list[dict[str, str]]] = {}
    found: list[Labelled] = []
    with LABELS.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
        digests = sorted(row["sha256"] for row in rows)
        for row in rows:
            if row["file"] not in files:
                files[row["file"]] = _rows(data / row["file"])
            record = files[row["file"]][int(row["row"])]
            text = next(record[name] for name in COLUMNS if name in record).split(PROMPT_END, 1)[-1]
            digest = sha256(text.encode()).hexdigest()
            if digest != row["sha256"]:
                raise SystemExit(
                    f"{row['file']}, row {row['row']}: the text is not the one that was labelled"
                )
            name = f"{row['file']}#{row['row']}"
            held_out = digests.index(digest) >= len(rows) // 2
            found.append(Labelled(name, text, frozenset(row["traits"].split()), held_out))
    return found


def read_later() -> list[Labelled]:
    """Completions of the real model of docs/real-models.md."""
    return [
        Labelled(f"smollm2#{row['problem']}", row["text"], frozenset(row["traits"]), held_out=True)
        for row in map(json.loads, LATER.read_text(encoding="utf-8").splitlines())
    ]


def _rows(path: Path) -> list[dict[str, str]]:
    content = path.read_bytes()
    text = (gzip.decompress(content) if path.suffix == ".gz" else content).decode("utf-8")
    return [json.loads(line) for line in text.split("\n") if line]


class Score(NamedTuple):
    """Counts of one trait on one half."""

    both: int
    """Labelled and found."""
    found: int
    labelled: int
    total: int


def score(rows: list[Labelled], name: str) -> Score:
    """Counts of one trait."""
    found = [SHIPPED_TRAITS[name].holds(row.text) for row in rows]
    labelled = [name in row.traits for row in rows]
    both = sum(a and b for a, b in zip(found, labelled, strict=True))
    return Score(both, sum(found), sum(labelled), len(rows))


def share(right: int, total: int) -> str:
    """`0.90 [0.70 to 0.97] (18 of 20)`."""
    if not total:
        return "not estimable (0 of 0)"
    low, high = wilson(right, total)
    return f"{right / total:.2f} [{low:.2f} to {high:.2f}] ({right} of {total})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--errors", action="store_true", help="name the errors on the half for development")
    arguments = parser.parse_args()
    rows = read_labelled(arguments.data)
    halves = [[row for row in rows if row.held_out == half] for half in (False, True)]
    titles = ("development", "held out", "SmolLM2-135M-Instruct, labelled later")
    for title, part in zip(titles, [*halves, read_later()], strict=True):
        print(f"{title}: {len(part)} completions\n| trait | precision | recall |\n|---|---|---|")
        for name in SHIPPED_TRAITS:
            one = score(part, name)
            print(f"| `{name}` | {share(one.both, one.found)} | {share(one.both, one.labelled)} |")
            if arguments.errors and title == "development":
                wrong = [row for row in part if SHIPPED_TRAITS[name].holds(row.text) != (name in row.traits)]
                for row in wrong:
                    print(f"    {'missed' if name in row.traits else 'wrongly found'}: {row.name}")


if __name__ == "__main__":
    main()
