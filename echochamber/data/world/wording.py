"""From told sentences to the text of a question."""

import re
from functools import lru_cache

from ...core.numbers import Number, display_number
from .config import WorldConfig
from .draft import Draft, Told
from .stream import Stream, below, chance, pick, shuffled

_ONES = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
_TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_REFERS_BACK = re.compile(
    r"^(\{n\} (liters|people)|It|A second|Then|After|Later|At noon|Another|As a bonus)"
    r"|\b(then|them|they|that|this|it|more|again|another|too|also|on top)\b"
)
_PERSON = re.compile(r"\{(who|she|her)\}", re.IGNORECASE)
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
        words = (
            number_words(int(match[2])) + (" dollars" if match[1] else "") + (" percent" if match[3] else "")
        )
        before = text[: match.start()]
        return words[0].upper() + words[1:] if not before or before.endswith((". ", "? ", "! ")) else words

    return _NUMBER.sub(replace, text)


def question_text(draft: Draft, config: WorldConfig, distractors: tuple[str, ...], source: Stream) -> str:
    """The question in words: an order of facts, a wording of each, digits or number words."""
    told = _ordered(draft.told, config, source)
    if distractors and chance(source, config.irrelevant_facts):
        distractor = Told(distractors, {"n": 2 + below(source, min(config.max_value, 60))}, "distractor")
        told.insert(1 + below(source, len(told) - 1), distractor)
    named = False
    sentences = []
    for index, item in enumerate(told):
        wordings = _usable(item.wordings, config.wordings)
        wording = pick(source, (_opening_wordings(wordings) or wordings) if index == 0 else wordings)
        if not named:
            wording, named = _name_first(wording)
        sentences.append(_filled(wording, item, draft.context))
    text = " ".join(sentences)
    return spell_out(text) if chance(source, config.number_words) else text


def _ordered(told: list[Told], config: WorldConfig, source: Stream) -> list[Told]:
    """Facts may change places; a start may be told after the events; the closing stays last."""
    if not chance(source, config.reorder):
        return list(told)
    facts = shuffled(source, [item for item in told if item.role == "fact"])
    order = [facts.pop(0) if item.role == "fact" else item for item in told]
    late = order[0].late
    if late and len(order) > 2 and _opening_wordings(_usable(order[1].wordings, config.wordings)):
        order.insert(len(order) - 1, Told(late, order[0].slots, "event"))
        order.pop(0)
    return order


def _usable(wordings: tuple[str, ...], most: int | str) -> tuple[str, ...]:
    return wordings[:most] if isinstance(most, int) else wordings


@lru_cache(maxsize=4096)
def _opening_wordings(wordings: tuple[str, ...]) -> tuple[str, ...]:
    """Those wordings that can stand first in a story, referring to nothing before them."""
    return tuple(wording for wording in wordings if not _REFERS_BACK.search(wording))


@lru_cache(maxsize=4096)
def _name_first(wording: str) -> tuple[str, bool]:
    """The wording with the name in place of its first pronoun, and whether a name now stands in it."""
    first = _PERSON.search(wording)
    if not first:
        return wording, False
    name = "{who}'s" if first[1].lower() == "her" else "{who}"
    return wording[: first.start()] + name + wording[first.end() :], True


def _filled(wording: str, item: Told, context: dict[str, str]) -> str:
    slots = {name: value if isinstance(value, str) else _shown(value) for name, value in item.slots.items()}
    text = wording.format(**(context | slots))
    return text[0].upper() + text[1:]


def _shown(value: Number) -> str:
    return str(value) if type(value) is int else display_number(value)
