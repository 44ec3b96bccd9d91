"""Parts of `docs/RESULTS.md` that answer no claim: null models, analyses beside the paper, stability, what is missing."""

from collections.abc import Mapping, Sequence

from ...claims.declare import NotTestableError
from ...claims.estimate import FEWEST_SEEDS, estimate
from ...claims.select import arm, base, winners
from ...claims.stability import agreeing, check_stability, overall, wider
from ...core.study_tables import Tables
from .claim_set import CLAIMS
from .collapse import EVEN_TWINS, LEAST_BASE, MIXTURE, RANDOM, SENSITIVITY, TWINS, epoch_top_share
from .nulls import RATE, bandit_top_share
from .phase import phase_hits, phase_rows

Group = tuple[str, str, str]
"""(mixture, size, arm)."""


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; cells may hold anything."""
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    return "\n".join(
        [
            *lines,
            *(
                "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) + " |"
                for row in rows
            ),
        ]
    )


def spread(seeds: Mapping[int, float] | None, digits: int = 3) -> str:
    """`0.412 [0.380 to 0.444]` over seeds, without brackets for a single one; a dash where nothing is known."""
    if not seeds:
        return "–"
    found = estimate(seeds, "above", 0.0)
    around = f" [{found.low:.{digits}f} to {found.high:.{digits}f}]" if found.low == found.low else ""
    return f"{found.mean:.{digits}f}{around}"


def nulls(tables: Tables) -> str:
    """The share that claim 1 judges, of every algorithm, null model and sensitivity arm that is finished."""
    places = [
        ("PPO", "the claim", MIXTURE, "ppo"),
        ("GRPO", "beside", MIXTURE, "grpo"),
        ("neutral twins", "null", TWINS, "ppo"),
        ("twins of equal length", "null", EVEN_TWINS, "ppo"),
        ("random reward", "null", MIXTURE, RANDOM),
    ]
    places += [(place, "sensitivity", place.split("/")[0], place.split("/")[1]) for place in SENSITIVITY]
    rows, waiting = [], []
    for label, kind, mixture, name in places:
        try:
            one = arm(tables, mixture, name)
            found = epoch_top_share(tables, one)
        except NotTestableError as error:
            waiting.append(f"- {label}: {error}")
            continue
        rows.append(
            [
                label,
                kind,
                spread(found),
                str(len(found)),
                winners(name, tables, one).partition(": ")[2],
                spread(base(tables, one, "accuracy")),
            ]
        )
        if kind == "null" and (
            under := [s for s, right in base(tables, one, "accuracy").items() if right < LEAST_BASE]
        ):
            waiting.append(
                f"- {label}: the base is right in under {LEAST_BASE} on {len(under)} of {len(found)} seeds, which is too little to show what RL does between equals"
            )
        if label == "PPO":
            forecast = bandit_top_share(tables, one)
            rows.append(
                [
                    "bandit on its base shares and accuracies",
                    "null",
                    spread(forecast),
                    str(len(forecast)),
                    "",
                    "",
                ]
            )
    shown = (
        table(
            [
                "top format share at the end of the first epoch",
                "kind",
                "mean over seeds",
                "seeds",
                "winner on test",
                "accuracy of its base",
            ],
            rows,
        )
        if rows
        else ""
    )
    note = (
        f"Training rollouts of the last steps of the epoch. Between two formats a top share starts at one half. The bandit's logits move by {RATE:g} x its gradient, a rate that nothing fixes: "
        "a larger one takes it farther. Null models whose base lies under the band of accuracies are named below the table."
        if rows
        else ""
    )
    return "\n\n".join(part for part in (note, shown, "\n".join(waiting)) if part)


def analysis(
    tables: Tables,
    name: str,
    note: str = "",
    arms: Sequence[str] = ("ppo", "grpo", "ei"),
    none: str = "No RL arm has finished.",
) -> str:
    """One analysis of `findings`: a row per arm, a column per item; empty where nothing is finished."""
    groups = {
        g: found[name]
        for g, found in sorted(tables.findings.items(), key=headline_first)
        if name in found and g[2] in arms and g[1] == tables.size
    }
    groups = {g: found for g, found in groups.items() if not g[0].startswith("phase_")}
    items = list(dict.fromkeys(item for found in groups.values() for item in found))
    rows = [
        [
            f"{g[0]}/{g[2]}",
            str(max(len(s) for s in found.values())),
            *(spread(found.get(item)) for item in items),
        ]
        for g, found in groups.items()
    ]
    if not rows:
        return none
    return (note + "\n\n" if note else "") + table(["arm", "seeds", *items], rows)


def headline_first(pair: tuple[Group, object]) -> tuple[bool, Group]:
    """The mixture of the headline first."""
    return pair[0][0] != "tg_omi1_omi2", pair[0]


def errors(tables: Tables) -> str:
    """First errors of flipped greedy answers of the headline arms, counts summed over seeds."""
    rows = []
    for group, found in sorted(tables.findings.items(), key=headline_first):
        if (
            "errors" in found
            and group[0] == "tg_omi1_omi2"
            and group[2] in ("ppo", "grpo", "ei")
            and group[1] == tables.size
        ):
            total = {item: sum(seeds.values()) for item, seeds in found["errors"].items()}
            for flip in ("wrong to right", "right to wrong"):
                kinds = {
                    item.removeprefix(f"{flip}: "): count
                    for item, count in total.items()
                    if item.startswith(flip)
                }
                text = ", ".join(
                    f"{kind} {count:.0f}" for kind, count in sorted(kinds.items(), key=lambda pair: -pair[1])
                )
                rows.append(
                    [
                        f"{group[0]}/{group[2]}",
                        str(len({s for seeds in found["errors"].values() for s in seeds})),
                        flip,
                        f"{sum(kinds.values()):.0f}",
                        text or "–",
                    ]
                )
    note = "Kind of the first wrong step on the wrong side of each greedy answer that changed between base and end; counts over all seeds."
    return (
        note + "\n\n" + table(["arm", "seeds", "flip", "answers", "first errors"], rows)
        if rows
        else "No greedy answer of a finished arm has changed."
    )


def stability(tables: Tables) -> str:
    """Verdicts under every split of six seeds into three and three."""
    found = check_stability(tables, list(CLAIMS.values()))
    if not found:
        return "No claim has six seeds yet."
    kept, turned = overall(found)
    rows = [
        [
            str(one.claim.number),
            one.whole,
            f"{one.agrees:.0%}",
            f"{one.kept:.0%}",
            str(one.turned),
            _counted(one.verdicts),
        ]
        for one in found
    ]
    text = (
        f"Six seeds, all {len(found[0].splits)} splits three against three: {kept:.0%} of splits give both halves the same verdict; "
        f"supported turns contradicted in {turned}. {agreeing(found):.0%} of the halves have the verdict of all six. A half has three seeds, whose interval is "
        f"{wider(FEWEST_SEEDS, 2 * FEWEST_SEEDS):.1f} times as wide at the same spread: what six seeds decide closely, three leave undecided."
    )
    columns = [
        "claim",
        "verdict on six seeds",
        "halves with that verdict",
        "splits that agree",
        "splits that turn",
        "verdicts of the halves",
    ]
    return text + "\n\n" + table(columns, rows)


def _counted(verdicts: Sequence[tuple[str, str]]) -> str:
    halves = [verdict for pair in verdicts for verdict in pair]
    return ", ".join(f"{verdict} {halves.count(verdict)}" for verdict in sorted(set(halves)))


def phase(tables: Tables) -> str:
    """Two formats of equal length from several base shares and gaps in expected reward."""
    columns = [
        "run",
        "seeds",
        "base share of the first",
        "its lead in expected reward",
        "final share of the first",
        "winner",
        "higher expected reward",
        "more paid completions",
    ]
    rows = phase_rows(tables)
    return f"{phase_hits(tables)}\n\n{table(columns, rows)}" if rows else "No arm of the map has finished."


def missing(tables: Tables) -> str:
    """Arms that are not finished on every planned seed, and stages that failed."""
    arms = tables.about.get("arms") or []
    waiting = [row for row in arms if row["done"] != row["planned"]]
    compared = {name for claim in CLAIMS.values() for name in claim.arms if "*" not in name}
    absent = sorted(compared - {f"{mixture}/{name}" for mixture, _, name in tables.runs})
    asked = (
        f"Arms that a claim compares and that the commands above left out or that have no finished run: {', '.join(absent)}."
        if absent
        else ""
    )
    if not waiting:
        return f"All {len(arms)} arms that the commands asked for have finished on every seed asked for." + (
            f" {asked}" if asked else ""
        )
    rows = [
        [
            f"{row['mixture']}/{row['arm']}",
            row["size"],
            ", ".join(map(str, row["done"])) or "none",
            ", ".join(str(s) for s in row["planned"] if s not in row["done"]),
            ", ".join(row["failed"]) or "–",
        ]
        for row in waiting
    ]
    head = f"{len(arms) - len(waiting)} of {len(arms)} arms have finished on every planned seed. The others enter verdicts with the seeds that they have."
    return "\n\n".join(
        part
        for part in (
            head,
            asked,
            table(["arm", "size", "seeds done", "seeds missing", "failed stages"], rows),
        )
        if part
    )
