"""The study's `summary.json`: before and after, per arm, with intervals and times."""

from collections.abc import Sequence
from pathlib import Path

from .averages import average_rows, top_format
from .runs import Run, complete_runs, ends, find_runs, note_unwritten, problem_sets
from .study_folder import KINDS, JsonObject, StoredStudy, load_study


def study_summary(study_folder: Path) -> JsonObject:
    """Content of the study-level `summary.json` (a contract with other tools).

    `base` and `final` are the first group (mixture, size, arm), averaged over its seeds, on the first
    problem set (test split first); `averaged_over` says which. `arms` has every run by itself.
    `stages` are seconds per kind of stage. What is not there yet is None.
    """
    study = load_study(study_folder)
    return summarise_study(study, find_runs(study))


def summarise_study(study: StoredStudy, runs: Sequence[Run]) -> JsonObject:
    """`study_summary` of a study that is read already."""
    note_unwritten(study, runs)
    sets = problem_sets(list(runs))
    chosen = sets[0] if sets else ("", "")
    group = complete_runs([run for run in runs if run.group == runs[0].group], chosen) if runs else []
    return {
        "name": study.name,
        "base": _averaged(group, chosen, first=True),
        "final": _averaged(group, chosen, first=False),
        "averaged_over": _label(group, chosen) if group else None,
        "arms": [_arm(run, chosen) for run in runs],
        "stages": stage_seconds(study),
        "total_seconds": round(sum(node.seconds or 0.0 for node in study.nodes), 3),
        "missing": list(study.warnings),
    }


def stage_seconds(study: StoredStudy) -> dict[str, float]:
    """Seconds of wall time per kind of stage, in the order of the flow."""
    kinds = [kind for kind in KINDS if study.of_kind(kind)]
    return {kind: round(sum(node.seconds or 0.0 for node in study.of_kind(kind)), 3) for kind in kinds}


def _averaged(group: Sequence[Run], chosen: tuple[str, str], first: bool) -> JsonObject | None:
    rows = [ends(run, chosen)[0 if first else 1] for run in group]
    known = [row for row in rows if row is not None]
    if not known:
        return None
    where = {"problem_set": chosen[0], "split": chosen[1], "step": sorted({row["step"] for row in known})[-1]}
    return where | {"seeds_found": len(known)} | average_rows(known)


def _label(group: Sequence[Run], chosen: tuple[str, str]) -> JsonObject:
    mixture, size, arm = group[0].group
    interval = "student_t_over_seeds" if len(group) > 1 else "bootstrap_by_problem"
    where = {"mixture": mixture, "size": size, "arm": arm, "seeds": [run.seed for run in group]}
    return where | {"problem_set": chosen[0], "split": chosen[1], "interval": interval}


def _arm(run: Run, chosen: tuple[str, str]) -> JsonObject:
    base, final = ends(run, chosen)
    return {
        "mixture": run.mixture,
        "size": run.size,
        "arm": run.arm,
        "seed": run.seed,
        "base": None if base is None else {"step": 0} | average_rows([base]),
        "final": None if final is None else {"step": final["step"]} | average_rows([final]),
        "winner": None if final is None else top_format(final),
    }
