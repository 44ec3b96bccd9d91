"""From told sentences to the text of a question."""

import re

from ...core.numbers import Number, display_number
from .config import WorldConfig
from .draft import Draft, Told
from .stream import Stream, below, chance, pick, shuffled

_ONES = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
_TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_NUMBER = re.compile(r"(\$?)(?<![\d.])(\d+)(?!\d|\.\d)(%?)")


def number_words(value: int) -> str:
    """`42` -> `forty-two`; for 0 to 999."""
    if value < 20:
        return _ONES[value]
    if value < 100:
        return _TENS[value // 10] + (f"-{_ONES[value % 10]}" if value % 10 else "")
    rest = f" and {number_words(value % 100)}" if value % 100 else ""
    return f"{_ONES[value // 100]} hundred{rest}"


def spell_out(text: str) -> str:
    """Write the whole numbers under 1,000 of a question as words: `$12` -> `twelve dollars`."""

    def replace(match: re.Match[str]) -> str:
        if len(match[2]) > 3:
            return match[0]
        words = number_words(int(match[2])) + (" dollars" if match[1] else "") + (" percent" if match[3] else "")
        before = text[: match.start()]
        return words[0].upper() + words[1:] if not before or before.endswith((". ", "? ", "! ")) else words

    return _NUMBER.sub(replace, text)


def question_text(draft: Draft, config: WorldConfig, asides: tuple[str, ...], source: Stream) -> str:
    """The question in words: an order of facts, a wording of each, digits or number words."""
    told = _ordered(draft.told, config, source)
    if asides and chance(source, config.irrelevant_facts):
        aside = Told(asides, {"n": 2 + below(source, min(config.max_value, 60))}, "aside")
        told.insert(1 + below(source, len(told) - 1), aside)
    first = dict(draft.context)
    if first["who"]:
        first |= {"She": first["who"], "she": first["who"], "Her": f"{first['who']}'s", "her": f"{first['who']}'s"}
    text = " ".join(_sentence(item, draft.context if place else first, config, source) for place, item in enumerate(told))
    return spell_out(text) if chance(source, config.number_words) else text


def _ordered(told: list[Told], config: WorldConfig, source: Stream) -> list[Told]:
    """Facts may change places; a start may be told after the events; the closing stays last."""
    if not chance(source, config.reorder):
        return list(told)
    facts = shuffled(source, [item for item in told if item.role == "fact"])
    order = [facts.pop(0) if item.role == "fact" else item for item in told]
    if order[0].role == "opening" and order[0].late and len(order) > 2:
        order.insert(len(order) - 1, Told(order[0].late, order[0].slots, "event"))
        order.pop(0)
    return order


def _sentence(item: Told, context: dict[str, str], config: WorldConfig, source: Stream) -> str:
    wordings = item.wordings if config.wordings == "all" else item.wordings[: config.wordings]
    slots = {name: value if isinstance(value, str) else _shown(value) for name, value in item.slots.items()}
    text = pick(source, wordings).format(**(context | slots))
    return text[0].upper() + text[1:]


def _shown(value: Number) -> str:
    return str(value) if type(value) is int else display_number(value)
