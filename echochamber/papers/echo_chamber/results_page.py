"""`docs/RESULTS.md`: the ledger in Markdown, every number from the tables."""

from collections.abc import Mapping, Sequence

from ...analysis.study_tables.findings import BEYOND
from ...claims.declare import Context
from ...claims.judge import ClaimResult
from ...claims.ledger import Ledger, criterion_text, estimate_text
from ...core.study_tables import Tables
from . import results_parts as parts
from .results_bases import bases, costs
from .results_forecasts import forecasts
from .results_parts import table
from .results_words import words
from .robustness import bounded, greedy

CAPTIONS = {
    "central": "Format shares in the training rollouts, over every seed (thin) and their mean (thick), beside the null models. A collapse alone proves nothing: "
    "neutral twins and random reward reach what they do without anything that works better, the bandit without learning anything inside a format.",
    "phase": "Two formats that differ in the quotes of a docstring only, the first earning as much or less: who wins from where. Numbers are final shares of the first.",
}


def results_page(ledger: Ledger, command: str, figures: Mapping[str, str] | None = None) -> str:
    """The whole page; `command` is what writes it, `figures` maps names to links from where the page lies."""
    tables, about = ledger.tables, ledger.tables.about
    counted = ", ".join(f"{number} {verdict}" for verdict, number in ledger.counted.items())
    shown = [
        f"# Results of {about.get('name', 'a study')}",
        f"Written by `{command}`; no figure here is entered by hand. Change the tables or the program, not this page.",
        f"{about.get('question') or ''}\n\n**{counted}** of {len(ledger.lines)} claims.",
        _made(tables),
        ledger.criteria_note,
        "Three choices are outside this hash: the least base accuracy of a null model, the level that is called easier, and the learning rate of Expert Iteration in claim 22 (docs/claims.md).",
        words(tables),
        "\n".join(f"- {note}" for note in (about.get("recipe") or {}).get("notes") or []),
        "## The collapse and its null models",
        _figure("central", figures),
        parts.nulls(tables),
        "## Ledger",
        "Intervals are Student's 95% over pretraining seeds. A criterion is met when its interval lies wholly past the margin, contradicted\n"
        "when it lies wholly short of it; where one of several places decides, its level is Holm's (docs/claims.md), so that an interval past the margin\n"
        "may still say inconclusive. Student's interval does not know where a share ends: it may pass 0 or 1. Per-seed values are in `estimates.csv`, the tables\n"
        "behind them beside it, and what each holds in their README.",
        _ledger(ledger.lines),
        "## Judged otherwise",
        greedy(ledger.lines, tables),
        bounded(ledger.lines),
        *_beyond(tables, figures),
        "## Would other seeds say the same?",
        parts.stability(tables),
        "## Base models",
        "Bands, for choosing sizes and noise: each format's accuracy 0.15 to 0.85, pass@64 under 0.9 on at least one level, truncated under 0.01.",
        bases(tables),
        "### What a format costs",
        costs(tables),
        "## Claim by claim",
        *[_claim(line) for line in ledger.lines],
        "## What is missing",
        parts.missing(tables),
    ]
    return "\n\n".join(part for part in shown if part.strip()) + "\n"


def _beyond(tables: Tables, figures: Mapping[str, str] | None) -> list[str]:
    """What was learned that the paper does not say."""
    return [
        "## Selection or skill?",
        parts.analysis(
            tables,
            "selection",
            "The gain in accuracy, split exactly per problem: selection is writing better formats more often, skill is doing better inside them. A format that was not written on one side takes its accuracy from forced decoding where there is a probe, else from the other side. At least and at most: over every accuracy that an unmeasured format could have had.",
        ),
        "## Forecasts from the base alone",
        forecasts(tables),
        "## What needs no training",
        parts.analysis(
            tables,
            "baselines",
            "Accuracy on the headline problems. “Its most accurate format only” keeps the completions in the format that is best on these very problems; nothing is forced.",
        ),
        "### Forced formats and lower temperatures",
        parts.analysis(
            tables,
            "probes",
            "One sample with a format's opening given, at temperature 1, and one sample at lower temperatures. The best format is chosen on one half of the problems and measured on the other.",
            none="No arm was probed.",
        ),
        "## Support",
        parts.analysis(
            tables,
            "support",
            "Problems solved within k tries before and after (kept, gained, lost, never), and the accuracy gain split into coverage and precision.",
        ),
        "### Would the base have written it?",
        parts.analysis(
            tables,
            "likelihood",
            "Log-probabilities in nats per completion and per token of texts written by the base and after RL, and the share of tokens whose two log-probabilities differ by more than one nat: where in the text the policy moved.",
            none="No arm was probed.",
        ),
        "### Floors of pass@k",
        parts.analysis(
            tables,
            "floors",
            "Right answers, right steps as well, and another problem's answer met by chance.",
            arms=("ppo",),
        ),
        "### Floors beyond the pretraining's range",
        parts.analysis(
            tables,
            f"floors/{BEYOND}",
            "The same on problems with more operations than any of pretraining (claim 18).",
            arms=("ppo",),
        ),
        "## Errors",
        parts.errors(tables),
        "## Phase map",
        _figure("phase", figures),
        parts.phase(tables),
    ]


def _figure(name: str, figures: Mapping[str, str] | None) -> str:
    return (
        f"![{CAPTIONS[name]}]({figures[name]})\n\n*{CAPTIONS[name]}*" if figures and name in figures else ""
    )


def _made(tables: Tables) -> str:
    """Command, seeds, versions, time, and how much is done."""
    about = tables.about
    done, stages = about.get("stages_done"), about.get("stages")
    seconds, wall = about.get("seconds") or {}, about.get("machine_seconds")
    times = ", ".join(f"{kind} {value / 3600:.2f}" for kind, value in sorted(seconds.items()) if value)
    commands = about.get("commands") or []
    listed = "\n".join(f"- `{command}`" for command in commands)
    libraries = ", ".join(f"{name} {version}" for name, version in (about.get("libraries") or {}).items())
    rows = [
        [
            "run by",
            f"`{commands[0]}`"
            if len(commands) == 1
            else f"{len(commands)} commands, one after the other"
            if commands
            else "not recorded",
        ],
        ["scope, seeds", f"{about.get('scope') or 'none'}; {', '.join(map(str, about.get('seeds') or []))}"],
        [
            "versions",
            f"echochamber {', '.join(about.get('code_versions') or ['unknown'])}"
            + (f"; {libraries}" if libraries else ""),
        ],
        [
            "hours",
            (f"{wall / 3600:.2f} of machine time; " if wall else "")
            + f"{sum(seconds.values()) / 3600:.2f} of stages ({times or 'none'})",
        ],
        [
            "stages",
            f"{done} of {stages} that the last command asked for finished"
            + ("" if done == stages else "; **this study is not complete**, see the end of the page"),
        ],
    ]
    return table(["", ""], rows) + (
        f"\n\n<details><summary>The commands</summary>\n\n{listed}\n\nThe last one alone, in an empty folder, asks for all of it; names of the earlier ones are those of their day.\n\n</details>"
        if len(commands) > 1
        else ""
    )


def _ledger(lines: Sequence[ClaimResult]) -> str:
    rows = []
    for line in lines:
        cells = [
            f"{part.criterion.label}{f' ({part.condition})' if part.condition else ''}: {estimate_text(part)}; {criterion_text(part.criterion, part.estimate.margin)}: {part.verdict}"
            for part in line.criteria
        ]
        rows.append(
            [
                str(line.claim.number),
                line.claim.statement,
                f"**{line.verdict}**",
                "<br>".join(cells),
                line.comment,
            ]
        )
    return table(
        ["#", "claim", "verdict", "measured", "what would settle it, and what to know beside it"], rows
    )


def _claim(line: ClaimResult) -> str:
    claim = line.claim
    facts = [
        f"### {claim.number}. {claim.statement}",
        f"Paper: {claim.source}. Arms: {', '.join(f'`{name}`' for name in claim.arms)}. Contradicted by: {claim.contradicted_by}.",
        f"**{line.verdict}**" + (f": {line.reason}" if line.reason else ""),
    ]
    if line.criteria:
        rows = [
            [
                part.criterion.label,
                part.criterion.statistic,
                part.condition,
                estimate_text(part),
                criterion_text(part.criterion, part.estimate.margin),
                part.verdict,
            ]
            for part in line.criteria
        ]
        facts.append(
            table(["criterion", "statistic, per seed", "where", "mean over seeds", "margin", "verdict"], rows)
        )
    if line.context:
        facts.append(
            table(
                ["beside it", "where", "kind", "mean over seeds"],
                [_aside(context_row) for context_row in line.context],
            )
        )
    facts += [
        "\n".join(
            f"- {remark}"
            for remark in (*line.caveats, *line.notes, *(f"choice: {choice}" for choice in claim.choices))
        )
    ]
    return "\n\n".join(fact for fact in facts if fact)


def _aside(context_row: Context) -> list[str]:
    found = (
        f"{parts.spread(context_row.seeds)}, {len(context_row.seeds)} {'seed' if len(context_row.seeds) == 1 else 'seeds'}"
        if context_row.seeds
        else "not measured"
    )
    return [context_row.name, context_row.condition, context_row.kind, found]
