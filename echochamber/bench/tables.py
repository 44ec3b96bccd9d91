"""Results as Markdown: printed, and laid between two marks of a page."""

from pathlib import Path

from ..core.errors import UserError
from ..core.files import write_text
from .results import Comparison, ComparisonName, ContenderRow, Growth, Results, Workload

BEGIN, END = "<!-- echochamber bench: begin -->", "<!-- echochamber bench: end -->"
"""What stands between these lines of a page is replaced."""
_TITLES: dict[ComparisonName, str] = {
    "sampling": "Sampling",
    "training": "Training",
    "grpo": "A step of GRPO",
}


def markdown(results: Results) -> str:
    """All tables that there are results for."""
    parts = [_about(results["model"])]
    parts += [
        _comparison(title, results[name], results["model"])
        for name, title in _TITLES.items()
        if name in results
    ]
    if "growth" in results:
        parts.append(_growth(results["growth"]))
    return "\n\n".join(parts) + "\n"


def _about(model: Workload) -> str:
    return (
        f"Model: Llama shape, {model['num_hidden_layers']} layers of width {model['hidden_size']}, "
        f"{model['num_attention_heads']} heads, {model['num_key_value_heads']} key-value heads, "
        f"feed-forward {model['intermediate_size']}, vocabulary {model['vocab_size']}, "
        f"trained by recipe `bench`. {model['threads']} threads each, {model['dtype']}. "
        "Ratio: how many times as fast we are."
    )


def _comparison(title: str, found: Comparison, model: Workload) -> str:
    in_steps = title == _TITLES["grpo"]
    unit = "seconds a step" if in_steps else "tokens/s"
    lines = [
        f"### {title}: {_what(title, found, model)}",
        "",
        _circumstances(found),
        "",
        f"| who | {unit} | spread | ratio | versions |",
        "|---|---|---|---|---|",
    ]
    return "\n".join([*lines, *(_row(row, in_steps) for row in found["rows"]), *_best_peer(found["rows"])])


def _best_peer(rows: list[ContenderRow]) -> list[str]:
    """The peer that comes closest to us; nothing where none was measured."""
    ratios = {row["label"]: ratio for row in rows if (ratio := row.get("ratio")) is not None}
    if not ratios:
        return []
    best = min(ratios, key=ratios.__getitem__)
    return ["", f"Best peer: {best}, ratio {ratios[best]:.2f}."]


def _what(title: str, found: Comparison, model: Workload) -> str:
    if title == _TITLES["training"]:
        return f"batches of {model['train_batch'][0]} x {model['train_batch'][1]} tokens"
    prompts = model["grpo_prompts"] if title == _TITLES["grpo"] else model["prompts"]
    ours = found["rows"][0]
    mean = sum(ours["tokens"]) / len(ours["tokens"]) / (prompts * model["samples"])
    return (
        f"{prompts} prompts x {model['samples']} samples, {mean:.0f} tokens a completion, "
        f"at most {model['new_tokens']}"
    )


def _circumstances(found: Comparison | Growth) -> str:
    return (
        f"{found['date']}, {found['cores']} cores, medians of {found['repeats']}, "
        f"load of the machine {found['load']:.1f} at the end."
    )


def _row(row: ContenderRow, in_steps: bool) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in row["versions"].items())
    if "missing" in row:
        return f"| {row['label']} | {row['missing'].replace('|', '/')} | | | {versions} |"
    values = (
        row["seconds"] if in_steps else [n / s for n, s in zip(row["tokens"], row["seconds"], strict=True)]
    )
    show = "{:.2f}" if in_steps else "{:,.0f}"
    middle = row["median_seconds"] if in_steps else row["tokens_per_second"]
    ratio = "" if row["ratio"] is None else f"{row['ratio']:.2f}"
    spread = f"{show.format(min(values))} to {show.format(max(values))}"
    return f"| {row['label']} | {show.format(middle)} | {spread} | {ratio} | {versions} |"


def _growth(found: Growth) -> str:
    sampling = [row for row in found["rows"] if row["work"] == "sampling"]
    training = [row for row in found["rows"] if row["work"] == "training"]
    lines = [
        "### How cost grows",
        "",
        _circumstances(found),
        "",
        "Sampling on random weights that never end a completion, after prompts of 40 tokens:",
        "",
        "| size | parameters | completions at once | new tokens each | tokens/s |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {r['size']} | {r['parameters']:,} | {r['batch']:,} | {r['length']:,} "
        f"| {r['tokens_per_second']:,.0f} |"
        for r in sampling
    ]
    peak = found["peak_flops_per_second"] / 1e9
    lines += [
        "",
        "Training, one optimizer step of AdamW on 32 x 256 tokens; "
        f"matrix peak of this machine {peak:,.0f} GFLOP/s:",
        "",
        "| size | parameters | tokens/s | GFLOP/s | share of peak |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {r['size']} | {r['parameters']:,} | {r['tokens_per_second']:,.0f} "
        f"| {r['flops_per_second'] / 1e9:,.0f} | {100 * r['peak_share']:.0f}% |"
        for r in training
    ]
    return "\n".join(lines)


def fill_page(page: Path, text: str) -> None:
    """Put `text` between the page's marks. A page without them is refused."""
    old = page.read_text(encoding="utf-8") if page.is_file() else f"{BEGIN}\n{END}\n"
    before, begin, rest = old.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise UserError(f"{page}: expected the lines {BEGIN} and {END}, found no such place for the tables")
    write_text(page, f"{before}{BEGIN}\n\n{text}\n{END}{after}")
