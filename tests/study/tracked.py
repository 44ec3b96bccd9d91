"""A study's folder with logs and without stages that ran: what the process that sends logs reads."""

import json
from pathlib import Path

RL, PRETRAIN = "rl-0123456789abcdef", "pretrain-fedcba9876543210"
METRICS = ("reward/mean", "format/tinygsm/share", "policy/kl")


def write_study(folder: Path, *kept: str) -> None:
    """`study.json` of one pretraining and one arm; `kept`: trackers that its recipe names."""
    nodes = [
        {
            "id": f"{kind}/mix/nano-0.8m/{arm or 'base'}/seed0",
            "kind": kind,
            "fingerprint": name.split("-")[1],
            "folder": f"artifacts/{name}",
            "mixture": "mix",
            "size": "nano-0.8m",
            "arm": arm,
            "seed": 0,
        }
        for kind, name, arm in (("pretrain", PRETRAIN, None), ("rl", RL, "grpo"))
    ]
    recipe = {"track": list(kept), "rl": {"grpo": {"algorithm": "grpo"}}, "pretrain": {"optimizer": "muon"}}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "study.json").write_text(json.dumps({"name": "tracked", "recipe": recipe, "nodes": nodes}))
    (folder / "artifacts" / ".partial").mkdir(parents=True, exist_ok=True)


def row(step: int) -> dict[str, object]:
    """One step's figures: a third of the names has no number at odd steps, as in a real log."""
    known = None if step % 2 else 0.5 * step
    return {"step": step, "reward/mean": step / 8, "format/tinygsm/share": 1 - step / 16, "policy/kl": known}


def write_logs(folder: Path, name: str, steps: range, finished: bool = False) -> None:
    """`metrics.jsonl` and `timing.jsonl` with these steps, as a stage writes them when it resumes."""
    place = folder / "artifacts" / name
    growing = folder / "artifacts" / ".partial" / name
    if not place.is_dir():
        growing.mkdir(exist_ok=True)
    target = place if place.is_dir() else growing
    (target / "metrics.jsonl").write_text("".join(json.dumps(row(step)) + "\n" for step in steps))
    times = "".join(json.dumps({"step": step, "step_s": 0.25}) + "\n" for step in steps)
    (target / "timing.jsonl").write_text(times)
    if finished:
        (target / "manifest.json").write_text("{}")
        target.rename(place)


def expected(name: str, steps: range) -> list[tuple[int, float]]:
    """(step, value) that every tracker must hold for one figure."""
    if name == "step_s":
        return [(step, 0.25) for step in steps]
    found = [(step, row(step)[name]) for step in steps]
    return [(step, value) for step, value in found if isinstance(value, float)]
