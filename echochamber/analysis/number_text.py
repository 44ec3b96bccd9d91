"""How numbers and problem sets are written for people."""

from collections.abc import Sequence


def set_text(problem_set: str, split: str) -> str:
    """A problem set with its split; a file has none.

    >>> set_text("easy", "test"), set_text("test.jsonl", "")
    ('easy, test split', 'test.jsonl')
    """
    return f"{problem_set}, {split} split" if split else problem_set


def count(number: object) -> str:
    """Thousands apart: `1,800,000`; a dash for what is not known."""
    return f"{number:,}" if isinstance(number, int) else f"{number:g}" if isinstance(number, float) else "–"


def percent(value: float | None) -> str:
    """`57%`; one decimal near the ends, where it matters: `99.6%`; a dash for what is not known.

    >>> percent(0.574), percent(0.9961), percent(0.9999), percent(1.0), percent(0.004), percent(None)
    ('57%', '99.6%', '>99.9%', '100%', '0.4%', '–')
    """
    if value is None:
        return "–"
    scaled = 100 * value
    if 99.95 <= scaled < 100:
        return ">99.9%"
    if 0 < scaled < 0.05:
        return "<0.1%"
    return f"{scaled:.1f}%" if 0 < scaled < 1 or 99 < scaled < 100 else f"{scaled:.0f}%"


def bounds(interval: Sequence[float] | None) -> str:
    """`54–60%`, with decimals where both ends would read alike; words where there is no interval.

    >>> bounds((0.54, 0.601)), bounds((0.0, 0.0021)), bounds((0.9981, 1.0))
    ('54–60%', '0–0.2%', '99.8–100%')
    >>> bounds((0.99999, 1.0)), bounds(None)
    ('>99.9–100%', 'no interval')
    """
    if not interval:
        return "no interval"
    low, high = interval
    texts = [percent(round(low, 4)), percent(round(high, 4))]
    if texts[0] == texts[1] and high - low > 5e-4:
        texts = [f"{100 * bound:.1f}%" for bound in (low, high)]
    if texts[0] == texts[1] == "100%":
        texts[0] = ">99.9%"
    if texts[0] == texts[1] == "0%":
        texts[1] = "<0.1%"
    return f"{texts[0].rstrip('%')}–{texts[1]}"
