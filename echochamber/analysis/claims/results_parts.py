"""Parts of `docs/RESULTS.md` that answer no claim: null models, analyses beside the paper, stability, what is missing."""

from collections.abc import Mapping, Sequence
from statistics import mean

import polars as pl

from .collapse import (
    EVEN_TWINS,
    LEAST_BASE,
    MIXTURE,
    RANDOM,
    SENSITIVITY,
    TWINS,
    epoch_top_share,
)
from .declare import NotTestableError
from .estimate import estimate
from .nulls import bandit_top_share
from .phase import phase_rows
from .registry import CLAIMS
from .select import OTHER, arm, base, winners
from .stability import check_stability, overall
from .tables import BASE, Tables
from .winners import MIXTURES

Group = tuple[str, str, str]
"""(mixture, size, arm)."""
DECLARED = "KL optimum"
"""The forecast that is held against the naive ones; named before any run."""
SCORES = ("brier", "total_variation", "hit")
WHY_NOT = (
    "So the declared forecast is not shown to beat the base's most accurate format. A reason that would explain it: at a small KL weight the optimum is every format's share of the base's *right* completions, "
    "the end of a policy that has learned to tell right from wrong inside each format and never needs to prefer one. A policy that learns more slowly inside formats than between "
    "them follows their mean accuracies instead, as the replicator flow and the most accurate format do; under a large KL weight (claim 21) the optimum is a different one, near the base."
)
NAIVE = ("most frequent at base", "most accurate at base", "always ")
"""How the forecasts begin that need no theory."""


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; cells may hold anything."""
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    return "\n".join([*lines, *("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) + " |" for row in rows)])


def spread(seeds: Mapping[int, float] | None, digits: int = 3) -> str:
    """`0.412 [0.380 to 0.444]` over seeds, without brackets for a single one; a dash where nothing is known."""
    if not seeds:
        return "–"
    found = estimate(seeds, "above", 0.0)
    around = f" [{found.low:.{digits}f} to {found.high:.{digits}f}]" if found.low == found.low else ""
    return f"{found.mean:.{digits}f}{around}"


def nulls(tables: Tables) -> str:
    """The share that claim 1 judges, of every algorithm, null model and sensitivity arm that is finished."""
    places = [("PPO", "the claim", MIXTURE, "ppo"), ("GRPO", "beside", MIXTURE, "grpo"), ("neutral twins", "null", TWINS, "ppo"), ("twins of equal length", "null", EVEN_TWINS, "ppo"), ("random reward", "null", MIXTURE, RANDOM)]
    places += [(place, "sensitivity", place.split("/")[0], place.split("/")[1]) for place in SENSITIVITY]
    rows, waiting = [], []
    for label, kind, mixture, name in places:
        try:
            one = arm(tables, mixture, name)
            found = epoch_top_share(tables, one)
        except NotTestableError as error:
            waiting.append(f"- {label}: {error}")
            continue
        rows.append([label, kind, spread(found), str(len(found)), winners(name, tables, one).partition(": ")[2], spread(base(tables, one, "accuracy"))])
        if label == "PPO":
            forecast = bandit_top_share(tables, one)
            rows.append(["bandit on its base shares and accuracies", "null", spread(forecast), str(len(forecast)), "", ""])
    shown = table(["top format share at the end of the first epoch", "kind", "mean over seeds", "seeds", "winner on test", "accuracy of its base"], rows) if rows else ""
    note = f"Training rollouts of the last steps of the epoch. Of a base that is right in under {LEAST_BASE} RL shows little of what it does between equals." if rows else ""
    return "\n\n".join(part for part in (note, shown, "\n".join(waiting)) if part)


def analysis(tables: Tables, name: str, note: str = "", arms: Sequence[str] = ("ppo", "grpo", "ei"), mixtures: Sequence[str] = ()) -> str:
    """One analysis of `findings`: a row per arm, a column per item; empty where nothing is finished."""
    groups = {g: found[name] for g, found in sorted(tables.findings.items(), key=_place) if name in found and g[2] in arms and g[1] == tables.size}
    groups = {g: found for g, found in groups.items() if (not mixtures or g[0] in mixtures) and not g[0].startswith("phase_")}
    items = list(dict.fromkeys(item for found in groups.values() for item in found))
    rows = [[f"{g[0]}/{g[2]}", str(max(len(s) for s in found.values())), *(spread(found.get(item)) for item in items)] for g, found in groups.items()]
    if not rows:
        return "No RL arm has finished."
    return (note + "\n\n" if note else "") + table(["arm", "seeds", *items], rows)


def _place(pair: tuple[Group, object]) -> tuple[bool, Group]:
    """The mixture of the headline first."""
    return pair[0][0] != "tg_omi1_omi2", pair[0]


def errors(tables: Tables) -> str:
    """First errors of flipped greedy answers of the headline arms, counts summed over seeds."""
    rows = []
    for group, found in sorted(tables.findings.items(), key=_place):
        if "errors" in found and group[0] == "tg_omi1_omi2" and group[2] in ("ppo", "grpo", "ei") and group[1] == tables.size:
            total = {item: sum(seeds.values()) for item, seeds in found["errors"].items()}
            for flip in ("wrong to right", "right to wrong"):
                kinds = {item.removeprefix(f"{flip}: "): count for item, count in total.items() if item.startswith(flip)}
                text = ", ".join(f"{kind} {count:.0f}" for kind, count in sorted(kinds.items(), key=lambda pair: -pair[1]))
                rows.append([f"{group[0]}/{group[2]}", flip, f"{sum(kinds.values()):.0f}", text or "–"])
    note = "Kind of the first wrong step on the wrong side of each greedy answer that changed between base and end; counts over all seeds."
    return note + "\n\n" + table(["arm", "flip", "answers", "first errors"], rows) if rows else "No greedy answer of a finished arm has changed."


def forecasts(tables: Tables) -> str:
    """Scores of every forecast over the PPO runs of the mixtures with a choice, and the one declared beforehand against the naive ones."""
    scores = _scores(tables)
    if not scores:
        return "No PPO arm on a mixture of several formats has finished."
    rows = [[name, _kind(name), spread(of["brier"]), spread(of["total_variation"]), spread(of["hit"], 2)] for name, of in scores.items()]
    shown = table(["forecast", "kind", "Brier score", "total variation", "winner hit rate"], rows)
    note = (
        f"PPO on the mixtures of at least two formats that have finished ({', '.join(_finished(tables))}; planned are {len(MIXTURES)}), mean over mixtures, "
        f"interval over the seeds that have the most of them. Lower is better but for the last column. Declared beforehand: the {DECLARED} against each of the three naive baselines."
    )
    return "\n\n".join([note, shown, *_against(scores)])


def _finished(tables: Tables) -> list[str]:
    return [mixture for mixture in MIXTURES if (mixture, tables.size, "ppo") in tables.runs]


def _scores(tables: Tables) -> dict[str, dict[str, dict[int, float]]]:
    """Forecast -> score -> seed -> mean over mixtures, best Brier score first."""
    found = tables.frames["forecasts"]
    mine = (pl.col("arm") == "ppo") & (pl.col("size") == tables.size) & pl.col("mixture").is_in(MIXTURES) & (pl.col("forecast") != "what happened")
    # `always FORMAT` names each mixture's first format; over mixtures it is one forecast.
    name = pl.when(pl.col("forecast").str.starts_with("always ")).then(pl.lit("always the first format")).otherwise(pl.col("forecast"))
    found = found.filter(mine)
    # A seed that some mixtures lack would compare other mixtures than its fellows do.
    whole = found.group_by("seed").agg(count=pl.col("mixture").n_unique()).filter(pl.col("count") == pl.col("count").max())["seed"]
    means = found.filter(pl.col("seed").is_in(whole.to_list())).with_columns(forecast=name, hit=pl.col("hit").cast(pl.Float64)).group_by("forecast", "seed").agg(pl.col(*SCORES).mean())
    scores: dict[str, dict[str, dict[int, float]]] = {}
    for forecast, seed, *values in means.sort("forecast", "seed").select("forecast", "seed", *SCORES).iter_rows():
        for score, value in zip(SCORES, values, strict=True):
            scores.setdefault(forecast, {}).setdefault(score, {})[seed] = value
    return dict(sorted(scores.items(), key=lambda item: mean(item[1]["brier"].values())))


def _kind(name: str) -> str:
    return "naive" if name.startswith(NAIVE) else "null model" if "null" in name else "theory"


def _against(scores: Mapping[str, Mapping[str, Mapping[int, float]]]) -> list[str]:
    """One sentence per naive baseline: paired differences over seeds, and whether they clear 0."""
    if DECLARED not in scores:
        return []
    lines, beaten = [], True
    for name in (name for name in scores if _kind(name) == "naive"):
        parts = []
        for score, sign in (("brier", "below"), ("hit", "above")):
            shared = {s: scores[DECLARED][score][s] - scores[name][score][s] for s in scores[DECLARED][score] if s in scores[name][score]}
            found = estimate(shared, "below" if sign == "below" else "above", 0.0)
            said = {"supported": "better", "contradicted": "worse", "inconclusive": "not told apart"}[found.verdict()]
            beaten = beaten and (said == "better" or not name.startswith("most accurate"))
            parts.append(f"{'Brier score' if score == 'brier' else 'winner hit rate'} {spread(shared)}: {said}")
        lines.append(f"- {DECLARED} minus {name}: {'; '.join(parts)}")
    return ["\n".join(lines), *([] if beaten else [WHY_NOT])]


def stability(tables: Tables) -> str:
    """Verdicts under every split of six seeds into three and three."""
    found = check_stability(tables, list(CLAIMS.values()))
    if not found:
        return "No claim has six seeds yet."
    kept, turned = overall(found)
    rows = [[str(one.claim.number), one.whole, f"{one.agrees:.0%}", f"{one.kept:.0%}", str(one.turned), _counted(one.verdicts)] for one in found]
    text = (
        f"Six seeds, all {len(found[0].splits)} splits three against three: {kept:.0%} of splits give both halves the same verdict; "
        f"supported turns contradicted in {turned}."
    )
    columns = ["claim", "verdict on six seeds", "halves with that verdict", "splits that agree", "splits that turn", "verdicts of the halves"]
    return text + "\n\n" + table(columns, rows)


def _counted(verdicts: Sequence[tuple[str, str]]) -> str:
    halves = [verdict for pair in verdicts for verdict in pair]
    return ", ".join(f"{verdict} {halves.count(verdict)}" for verdict in sorted(set(halves)))


def phase(tables: Tables) -> str:
    """Two formats of equal length from several base shares and accuracy gaps."""
    columns = ["mixture", "seeds", "base share of the first", "its lead in base accuracy", "final share of the first", "winner", "foretold by the replicator flow"]
    rows = phase_rows(tables)
    return table(columns, rows) if rows else "No arm of the map has finished."


def bases(tables: Tables) -> str:
    """Mean over seeds of the base's pass@1, pass@64 and shares, so that the bands can be checked."""
    groups: dict[tuple[str, str, str], dict[tuple[float, str], dict[str, list[float]]]] = {}
    for (mixture, size, name, start, problems, split, heat, evaluation, quantity), seeds in tables.scores.items():
        if name == BASE and start is None and split == "test":
            cells = groups.setdefault((mixture, size, problems), {}).setdefault((abs(heat - 1), evaluation), {})
            cells[quantity] = [steps[0] for steps in seeds.values() if 0 in steps]
    rows = []
    for (mixture, size, problems), found in sorted(groups.items()):
        # Of several evaluations of one base on one set, that at temperature 1, the study's own first.
        cells = found[min(found)]
        written = {q.removeprefix("share/"): mean(v) for q, v in cells.items() if q.startswith("share/") and mean(v) >= 0.005}
        right = {name: mean(cells[f"right/{name}"]) for name in written if cells.get(f"right/{name}")}
        formats = ", ".join(f"{name} {share:.2f} ({right.get(name, 0.0) / share:.2f})" for name, share in sorted(written.items(), key=lambda i: -i[1]))
        numbers = [f"{mean(cells[q]):.3f}" if cells.get(q) else "–" for q in ("accuracy", "pass@64", "truncated")]
        rows.append([mixture, size, problems, str(len(cells.get("accuracy", []))), *numbers, formats])
    return table(["mixture", "size", "problems", "seeds", "pass@1", "pass@64", "truncated", "share (accuracy) of formats"], rows) if rows else "None."


def costs(tables: Tables) -> str:
    """Tokens, truncation and expected samples of a training step per format, at the base of every PPO arm."""
    rows = []
    for group, found in sorted(tables.findings.items(), key=_place):
        if group[2] == "ppo" and group[1] == tables.size and "costs" in found and not group[0].startswith("phase_"):
            for name in sorted({item.split(":")[0] for item in found["costs"]} - {OTHER}):
                cells = [found["costs"].get(f"{name}: {what}") for what in ("tokens", "truncated", "samples per step")]
                rows.append([group[0], name, *(spread(seeds, digits) for seeds, digits in zip(cells, (1, 4, 1), strict=True))])
    return table(["mixture", "format", "mean tokens", "truncated", "samples per step"], rows) if rows else "No PPO arm has finished."


def missing(tables: Tables) -> str:
    """Arms that are not finished on every planned seed, and stages that failed."""
    arms = tables.about.get("arms") or []
    waiting = [row for row in arms if row["done"] != row["planned"]]
    compared = {name for claim in CLAIMS.values() for name in claim.arms if "*" not in name}
    absent = sorted(compared - {f"{mixture}/{name}" for mixture, _, name in tables.runs})
    asked = f"Arms that a claim compares and that the commands above left out or that have no finished run: {', '.join(absent)}." if absent else ""
    if not waiting:
        return f"All {len(arms)} arms that the commands asked for have finished on every seed asked for." + (f" {asked}" if asked else "")
    rows = [
        [f"{row['mixture']}/{row['arm']}", row["size"], ", ".join(map(str, row["done"])) or "none", ", ".join(str(s) for s in row["planned"] if s not in row["done"]), ", ".join(row["failed"]) or "–"]
        for row in waiting
    ]
    head = f"{len(arms) - len(waiting)} of {len(arms)} arms have finished on every planned seed. The others enter verdicts with the seeds that they have."
    return "\n\n".join(part for part in (head, asked, table(["arm", "size", "seeds done", "seeds missing", "failed stages"], rows)) if part)
