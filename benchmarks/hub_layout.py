"""Real sets at hand, laid out as the hub has them: what `hub.folder` of a recipe takes.

    python benchmarks/hub_layout.py SETS /tmp/hub   # SETS: a folder with the files of ROWS
    echochamber study paper-10m hub.folder=/tmp/hub

The training sets of GSM8K and MATH are whole. Of OpenMathInstruct-1 and -2, MetaMathQA and TinyGSM there are
samples (100, 100, 6 and 3 rows), so nothing that is learned from those means anything.
"""

import json
import shutil
import sys
from pathlib import Path

import polars as pl

ROWS = {
    "openai/gsm8k/main/train-00000-of-00001.parquet": "gsm8k/train.jsonl.gz",
    "openai/gsm8k/main/test-00000-of-00001.parquet": "gsm8k/test.jsonl",
    "DigitalLearningGmbH/MATH-lighteval/data/train-00000-of-00001.parquet": "math/train.jsonl.gz",
    "TinyGSM/TinyGSM/data/train-00000-of-00001.parquet": "samples/tinygsm.jsonl",
    "nvidia/OpenMathInstruct-2/data/train-00000-of-00001.parquet": "samples/openmathinstruct2.jsonl",
}
"""Parquet file on the hub -> file at hand."""
COPIES = {
    "nvidia/OpenMathInstruct-1/correct_solutions/train.jsonl": "samples/openmathinstruct1.jsonl",
    "HuggingFaceH4/MATH-500/test.jsonl": "math500/test.jsonl",
    "gneubig/aime-1983-2024/AIME_Dataset_1983_2024.csv": "aime/aime_1983_2024.csv",
}
AIME = "AI-MO/aimo-validation-aime/data/train-00000-of-00001.parquet"
METAMATH = "meta-math/MetaMathQA/MetaMathQA-395K.json"


def lay_out(data: Path, target: Path) -> list[Path]:
    """Write every set below `target`; returns the files."""
    for name, source in ROWS.items():
        pl.read_ndjson(data / source, infer_schema_length=None).write_parquet(_new(target / name))
    for name, source in COPIES.items():
        shutil.copyfile(data / source, _new(target / name))
    lines = (data / "samples/metamathqa.jsonl").read_text(encoding="utf-8").splitlines()
    _new(target / METAMATH).write_text(json.dumps([json.loads(line) for line in lines]), encoding="utf-8")
    _aime(data).write_parquet(_new(target / AIME))
    return [target / name for name in (*ROWS, *COPIES, METAMATH, AIME)]


def _aime(data: Path) -> pl.DataFrame:
    """89 of the 90: the large file lacks one of 2022 and 2023, and of 2024 there is a file apart."""
    old = pl.read_csv(data / "aime/aime_1983_2024.csv", infer_schema_length=None)
    old = old.filter(pl.col("Year").is_in([2022, 2023])).select(
        id=pl.col("ID").cast(pl.String),
        problem=pl.col("Question"),
        answer=pl.col("Answer").cast(pl.String),
    )
    new = pl.read_ndjson(data / "aime/aime_2024.jsonl", infer_schema_length=None)
    return pl.concat([old, new.select(pl.col("id", "problem", "answer").cast(pl.String))])


def _new(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def main() -> None:
    """Lay out the sets of the first argument below the second."""
    if len(sys.argv) != 3:
        sys.exit("usage: python benchmarks/hub_layout.py DATA TARGET")
    for written in lay_out(Path(sys.argv[1]), Path(sys.argv[2])):
        print(written)


if __name__ == "__main__":
    main()
