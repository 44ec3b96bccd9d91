"""Did a change of the code change a result? Compares two study folders byte by byte.

    python benchmarks/same_bytes.py OLD_STUDY NEW_STUDY

Artifacts are matched by folder name (kind and fingerprint), else by the stage id in `study.json`.
Every payload file is compared: Parquet, safetensors, token shards, JSON and JSON Lines. The study's
own `summary.json` is compared without its times.

Not compared, because they hold times or versions, or are presentation:
`manifest.json`, `sittings.json`, `timing.jsonl`, `study.json`, `report.html`, lock and progress files;
in the study's `summary.json` the keys `stages`, `total_seconds` and `built_from`.
One documented exception: shortcut baselines (`surface.json`, and artifacts of the kind `surface`) may
move to another file or be added; where both studies have the same file, its bytes are compared.

Prints counts and every difference; the exit status is 1 where there is any, else 0.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

UNTIMED = frozenset({"manifest.json", "sittings.json", "timing.jsonl"})
"""Files of an artifact that are never compared."""
MOVABLE = frozenset({"surface.json", "shortcut_baselines.json"})
"""Files of shortcut baselines: compared only where both sides have them."""
MOVABLE_KIND = "surface"
SUMMARY_TIMES = ("stages", "total_seconds", "built_from")


@dataclass
class Comparison:
    """What was compared, and what differs."""

    artifacts: int = 0
    files: int = 0
    size: int = 0
    """Bytes of the old files that were compared."""
    rematched: list[str] = field(default_factory=list)
    """Artifacts whose fingerprint changed, matched by stage id."""
    moved: list[str] = field(default_factory=list)
    """Shortcut baselines that only one side has."""
    differences: list[str] = field(default_factory=list)


def stage_folders(study: Path) -> dict[str, str]:
    """Stage id -> artifact folder name, from `study.json`; only folders that exist."""
    nodes = json.loads((study / "study.json").read_text(encoding="utf-8"))["nodes"]
    named = {node["id"]: Path(node["folder"]).name for node in nodes}
    return {stage: name for stage, name in named.items() if (study / "artifacts" / name).is_dir()}


def pairs(old: Path, new: Path, found: Comparison) -> Iterator[tuple[Path, Path]]:
    """Artifact folders to compare; one that has no counterpart is noted as a difference."""
    before, after = stage_folders(old), stage_folders(new)
    matched: set[str] = set()
    for name in sorted(set(before.values())):
        stages = sorted(stage for stage, folder in before.items() if folder == name)
        other = (
            name if (new / "artifacts" / name).is_dir() else next(filter(None, map(after.get, stages)), None)
        )
        if other is None:
            _lone(f"{name} ({stages[0]}): only in the old study", name, found)
            continue
        if other != name:
            found.rematched.append(f"{stages[0]}: {name} -> {other}")
        matched.add(other)
        yield old / "artifacts" / name, new / "artifacts" / other
    for name in sorted(set(after.values()) - matched):
        _lone(f"{name}: only in the new study", name, found)


def _lone(message: str, name: str, found: Comparison) -> None:
    (found.moved if name.startswith(f"{MOVABLE_KIND}-") else found.differences).append(message)


def payload(folder: Path) -> dict[str, Path]:
    """Relative path -> file of an artifact, without those that hold times."""
    return {
        path.relative_to(folder).as_posix(): path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in UNTIMED
    }


def compare_artifacts(old: Path, new: Path, found: Comparison) -> None:
    """Compare every payload file of two artifacts."""
    found.artifacts += 1
    before, after = payload(old), payload(new)
    for name in sorted(before.keys() | after.keys()):
        if name not in before or name not in after:
            side = "old" if name in before else "new"
            notes = found.moved if Path(name).name in MOVABLE else found.differences
            notes.append(f"{old.name}/{name}: only in the {side} study")
            continue
        found.files += 1
        found.size += before[name].stat().st_size
        if digest(before[name]) != digest(after[name]):
            found.differences.append(f"{old.name}/{name}: bytes differ")


def digest(path: Path) -> bytes:
    """SHA-256 of a file."""
    with path.open("rb") as stream:
        hashed = sha256()
        while piece := stream.read(1 << 20):
            hashed.update(piece)
    return hashed.digest()


def compare_summaries(old: Path, new: Path, found: Comparison) -> None:
    """Compare the two studies' `summary.json`, times apart; skipped where neither has one."""
    there = [study for study in (old, new) if (study / "summary.json").is_file()]
    if len(there) == 1:
        found.differences.append(f"summary.json: only in {there[0]}")
    if len(there) < 2:
        return
    before, after = (json.loads((study / "summary.json").read_text(encoding="utf-8")) for study in (old, new))
    found.files += 1
    for key in sorted(before.keys() | after.keys()):
        if key not in SUMMARY_TIMES and before.get(key) != after.get(key):
            found.differences.append(f"summary.json: {key} differs")


def compare_studies(old: Path, new: Path) -> Comparison:
    """Compare all artifacts and the summaries of two studies."""
    found = Comparison()
    for before, after in pairs(old, new, found):
        compare_artifacts(before, after, found)
    compare_summaries(old, new, found)
    return found


def main() -> None:
    """Compare the two folders of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("old", type=Path, metavar="OLD_STUDY")
    parser.add_argument("new", type=Path, metavar="NEW_STUDY")
    arguments = parser.parse_args()
    for study in (arguments.old, arguments.new):
        if not (study / "study.json").is_file():
            parser.error(f"{study}: no study.json, so this is not a study folder")
    found = compare_studies(arguments.old, arguments.new)
    print(f"{found.artifacts} artifacts, {found.files} files, {found.size:,} bytes compared")
    for title, lines in (
        ("other fingerprint, same stage", found.rematched),
        ("shortcut baselines on one side only (documented exception)", found.moved),
        ("differences", found.differences),
    ):
        print(f"{title}: {len(lines)}")
        for line in lines:
            print(f"  {line}")
    if not found.artifacts:
        print("no artifact in common")
    sys.exit(1 if found.differences or not found.artifacts else 0)


if __name__ == "__main__":
    main()
