"""Runs: one base model and, where there is one, its RL, with all their evaluations."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from ..core.formats import FORMAT_NAMES
from ..core.types import UNGRADED_LIMIT
from .stage_files import read_json, read_log
from .stored_files import ScoreRow
from .study_folder import JsonObject, StoredStage, StoredStudy


@dataclass
class Run:
    """One (mixture, size, arm, seed): what happened from the base to the last checkpoint."""

    mixture: str
    size: str
    arm: str
    """Empty for a base model that no RL starts from."""
    seed: int
    pretrain: StoredStage | None
    rl: StoredStage | None
    evaluations: list[StoredStage] = field(default_factory=list)
    """The study's own evaluate stages of the base, then of the RL checkpoints."""
    further: list[StoredStage] = field(default_factory=list)
    """The same of `also_evaluate`."""
    probes: list[StoredStage] = field(default_factory=list)
    """Probe stages of the base, then of the last RL checkpoint."""
    forecast: StoredStage | None = None
    """The stage that simulated the arm on its base's completions."""
    rows: list[JsonObject] = field(default_factory=list)
    """Summary rows of all evaluations, by problem set and step."""
    dense: list[JsonObject] = field(default_factory=list)
    """RL metrics, one row per training step."""

    @property
    def id(self) -> str:
        """Id of the stage that the run is named after."""
        node = self.rl or self.pretrain
        assert node is not None
        return node.id

    @property
    def group(self) -> tuple[str, str, str]:
        """What its seeds have in common."""
        return self.mixture, self.size, self.arm

    @cached_property
    def formats(self) -> list[str]:
        """Formats that some row says were written, in order of appearance; found once."""
        seen = {
            name: None
            for row in self.rows
            for name, cell in row["formats"].items()
            if (cell or {}).get("share")
        }
        waiting = list(dict.fromkeys(key for row in self.dense for key in row if _is_share(key)))
        for row in self.dense:
            found = [key for key in waiting if row.get(key)]
            seen |= {key.split("/")[1]: None for key in found}
            waiting = [key for key in waiting if key not in found] if found else waiting
        return list(seen)

    def row(self, problem_set: tuple[str, str], step: int) -> JsonObject | None:
        """Summary of one checkpoint on one (problem set, split)."""
        return next((r for r in self.rows if set_of(r) == problem_set and r["step"] == step), None)

    def steps(self, problem_set: tuple[str, str]) -> list[int]:
        """Evaluated steps on one problem set, ascending."""
        return sorted({row["step"] for row in self.rows if set_of(row) == problem_set})


def set_of(row: JsonObject) -> tuple[str, str]:
    """(problem set, split) of a summary row."""
    return str(row.get("problem_set") or ""), str(row.get("split") or "")


def find_runs(study: StoredStudy) -> list[Run]:
    """One run per RL stage, then one per base model without RL, each with what can be read of it."""
    runs = [
        _run(study, node, _parent(study, node, "pretrain") or _parent(study, node, "base"))
        for node in study.of_kind("rl")
    ]
    used = {run.pretrain.id for run in runs if run.pretrain}
    runs += [_run(study, None, node) for node in study.of_kind("pretrain") if node.id not in used]
    return runs


def problem_sets(runs: list[Run]) -> list[tuple[str, str]]:
    """All evaluated (problem set, split), test splits first, else in order of appearance."""
    found = list(dict.fromkeys(set_of(row) for run in runs for row in run.rows))
    return sorted(found, key=lambda pair: pair[1] != "test")


def _parent(study: StoredStudy, node: StoredStage, kind: str) -> StoredStage | None:
    parents = [study.node(parent) for parent in node.parents]
    return next((parent for parent in parents if parent and parent.kind == kind), None)


def _run(study: StoredStudy, rl: StoredStage | None, pretrain: StoredStage | None) -> Run:
    place = rl or pretrain
    assert place is not None
    start = rl.from_step if rl else None
    scored = [
        *_of_checkpoints(study, pretrain, "evaluate", start, place.seed),
        *_of_checkpoints(study, rl, "evaluate", start, place.seed),
    ]
    evaluations = [node for node in scored if not node.evaluation]
    rows = [row for node in evaluations for row in _rows(study, node)]
    return Run(
        mixture=place.mixture,
        size=place.size,
        arm=place.arm if rl else "",
        seed=place.seed if place.seed is not None else 0,
        pretrain=pretrain,
        rl=rl,
        evaluations=evaluations,
        further=[node for node in scored if node.evaluation],
        probes=[
            *_of_checkpoints(study, pretrain, "probe", start, place.seed),
            *_of_checkpoints(study, rl, "probe", start, place.seed),
        ],
        forecast=_forecast(study, rl),
        rows=sorted(rows, key=lambda row: row["step"]),
        dense=_metrics(study, rl) if rl else [],
    )


def _forecast(study: StoredStudy, rl: StoredStage | None) -> StoredStage | None:
    """The forecast stage of the same arm on the same base."""
    if rl is None:
        return None
    same = ("mixture", "size", "arm", "seed", "from_step")
    return next(
        (n for n in study.of_kind("forecast") if all(getattr(n, key) == getattr(rl, key) for key in same)),
        None,
    )


def _of_checkpoints(
    study: StoredStudy, node: StoredStage | None, kind: str, from_step: int | None, seed: int | None
) -> Iterator[StoredStage]:
    """Evaluate or probe stages of `node` itself (one of an RL stage may name its pretraining as well)."""
    if node is None:
        return
    for candidate in study.children(node.id):
        # No seed: one score for all seeds, of a base that was given.
        if candidate.kind != kind or candidate.from_step != from_step or candidate.seed not in (None, seed):
            continue
        through_rl = _parent(study, candidate, "rl")
        if (node.kind == "rl" and through_rl is node) or (
            node.kind in ("base", "pretrain") and through_rl is None
        ):
            yield candidate


def _rows(study: StoredStudy, node: StoredStage) -> list[JsonObject]:
    if node.id not in study.score_rows:
        study.score_rows[node.id] = list(_read_rows(study, node))
    return study.score_rows[node.id]


def _read_rows(study: StoredStudy, node: StoredStage) -> Iterator[JsonObject]:
    for data in read_json(study, node, "summary.json") or []:
        try:
            row = ScoreRow.read(data).as_row()
        except ValueError:
            study.warn(f"{node.id}: summary.json has a row without step or formats; it is left out")
            continue
        ungraded, outcomes = row.get("infrastructure") or 0, row.get("outcomes") or {}
        graded = sum(outcomes.values()) + (row.get("num_problems") or 0)  # sampled, and one greedy a problem
        _note_ungraded(study, f"{node.id}, step {row['step']}", ungraded, ungraded + graded)
        yield row


def _note_ungraded(study: StoredStudy, place: str, ungraded: float, total: float) -> None:
    if ungraded > UNGRADED_LIMIT * total:
        study.warn(
            f"{place}: {ungraded / total:.0%} of completions could not be graded; no number counts them"
        )


def _metrics(study: StoredStudy, rl: StoredStage) -> list[JsonObject]:
    """RL metrics, one row per training step."""
    rows = read_log(study, rl, "metrics.jsonl")
    ungraded, total = (
        sum(row.get(name) or 0 for row in rows) for name in ("grader/infrastructure", "num_completions")
    )
    _note_ungraded(study, f"{rl.id}, training", ungraded, total)
    return rows


def rl_config(study: StoredStudy, arm: str) -> JsonObject:
    """The resolved RL settings of one arm, {} where the recipe does not have them.

    `objective`, where the study has it: how the arm's algorithm weighs rewards.
    """
    settings: JsonObject = (study.recipe.get("rl") or {}).get(arm) or {}
    described = study.algorithms.get(str(settings.get("algorithm")))
    return settings | {"objective": described} if described else settings


def rollout_size(config: JsonObject) -> tuple[int, int]:
    """Prompts per step and samples per prompt of an arm; 32 x 8 where the recipe does not say."""
    return config.get("prompts_per_step") or 32, config.get("samples_per_prompt") or 8


def ends(run: Run, chosen: tuple[str, str]) -> tuple[JsonObject | None, JsonObject | None]:
    """Rows of the base (step 0) and of the last evaluated checkpoint after it."""
    steps = [step for step in run.steps(chosen) if step > 0]
    return run.row(chosen, 0), run.row(chosen, steps[-1]) if steps else None


def complete_runs(group: Sequence[Run], chosen: tuple[str, str]) -> list[Run]:
    """The seeds of a group that have both ends; before and after must be of the same seeds.

    All seeds where none has both.
    """
    return [run for run in group if all(ends(run, chosen))] or list(group)


def written_formats(runs: Sequence[Run]) -> list[str]:
    """Formats that somebody wrote at some time: the shipped order first, then the user's own."""
    seen = dict.fromkeys(name for run in runs for name in run.formats)
    known = [name for name in FORMAT_NAMES if name in seen]
    return known + [name for name in seen if name not in known]


def note_unwritten(study: StoredStudy, runs: Sequence[Run]) -> None:
    """Name in `study.warnings` each own format and trait that no completion of a finished study has."""
    if runs and all(node.status == "done" for node in study.nodes):
        for name in sorted(study.own_formats.keys() - set(written_formats(runs))):
            study.warn(f"format {name}: no completion is written in it; is its rule as intended?")
        for name in sorted(study.traits.keys() - _held_traits(runs)):
            study.warn(f"trait {name}: no completion has it; is its rule as intended?")


def _held_traits(runs: Sequence[Run]) -> set[str]:
    """Traits that some completion had, of an evaluation or a rollout."""
    rows = [row for run in runs for row in run.rows]
    held = {
        name for row in rows for name, cell in (row.get("traits") or {}).items() if (cell or {}).get("rate")
    }
    logged = [row for run in runs for row in run.dense]
    return held | {
        key.split("/")[1]
        for row in logged
        for key, value in row.items()
        if key.startswith("trait/") and key.endswith("/rate") and value
    }


def _is_share(key: str) -> bool:
    return key.startswith("format/") and key.endswith("/share")


def shared_k(rows: Sequence[JsonObject]) -> str:
    """The largest k whose pass@k all of `rows` know."""
    known = [{int(k) for k, value in row["pass@k"].items() if value is not None} for row in rows]
    return str(max(set.intersection(*known), default=1)) if known else "1"
