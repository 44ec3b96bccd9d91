"""The gain in accuracy in three parts, from the shares and accuracies of the committed tables."""

import numpy as np

from ...claims.declare import NotTestableError
from ...claims.select import Arm, curve, shares
from ...core.study_tables import Tables
from ...stats.decomposition import split_gain
from .markdown import mean_text, table
from .phase import PREFIX
from .results_findings import ALGORITHMS, headline_first

RARE = 0.02
"""Share under which a format's accuracy comes from forced decoding."""
NAMES = ("gain", "choice at base skill", "skill at base shares", "interaction")


def gain_parts(tables: Tables, one: Arm) -> dict[str, dict[int, float]]:
    """Name of `NAMES` -> seed -> part of the gain, shares and accuracies pooled over the problems.

    Where a format is under `RARE` of the completions, its accuracy is that under forced decoding if a probe
    measured it. The few problems on which it is still written are a selection. A format that one side never
    wrote has the other side's accuracy there. The interaction is what is left of the gain.
    """
    written = shares(tables, one)
    names = sorted({name for steps in written.values() for of in steps.values() for name in of})
    right = {name: curve(tables, one, f"right/{name}") for name in names}
    forced = tables.findings.get((one.mixture, one.size, one.arm), {}).get("probes", {})
    found: dict[str, dict[int, float]] = {name: {} for name in NAMES}
    for seed, steps in written.items():
        ends = 0, max(steps)
        if any(seed not in right[name] for name in names):
            continue
        s0, s1 = (np.array([[steps[step][name] for name in names]]) for step in ends)
        r0, r1 = (np.array([[right[name][seed].get(step, 0.0) for name in names]]) for step in ends)
        with np.errstate(invalid="ignore", divide="ignore"):
            p0, p1 = r0 / s0, r1 / s1
        for label, share, accuracy in (("base", s0, p0), ("after RL", s1, p1)):
            for i, name in enumerate(names):
                measured = forced.get(f"{label}, {name} forced", {}).get(seed)
                if measured is not None and share[0, i] < RARE:
                    accuracy[0, i] = measured
        split = split_gain(s0, p0, s1, p1)
        gain = float(r1.sum() - r0.sum())
        choice, skill = float(split.choice.value[0]), float(split.skill.value[0])
        for name, value in zip(NAMES, (gain, choice, skill, gain - choice - skill), strict=True):
            found[name][seed] = value
    return found


def gain_table(tables: Tables) -> str:
    """A row per arm at the headline size; empty where nothing is finished."""
    rows = []
    for (mixture, size, arm), _ in sorted(tables.runs.items(), key=headline_first):
        if size != tables.size or arm not in ALGORITHMS or mixture.startswith(PREFIX):
            continue
        try:
            parts = gain_parts(tables, Arm(mixture, arm, size))
        except NotTestableError:
            continue
        cells = [mean_text(parts[name]) for name in NAMES]
        rows.append([f"{mixture}/{arm}", str(len(parts["gain"])), *cells])
    return table(["arm", "seeds", *NAMES], rows) if rows else ""
