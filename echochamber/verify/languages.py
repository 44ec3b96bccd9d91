"""Is a text in two natural languages? By script, and by the most frequent words of six languages."""

import re
import unicodedata

WORDS = {
    "en": "the and of to is in that we for are with so this by each how many has she he they it from",
    "de": "der die das und ist nicht wir ein eine zu den von mit für sind auf dass es also wird hat",
    "fr": "le la les et est nous une des du que pour dans sont avec donc cette il elle par sur chaque",
    "es": "el la los las y es que de una para por con son en se cada entonces hay más tiene esta",
    "pt": "o os as e é que de uma para por com são em se cada então há mais tem esta não",
    "it": "il lo gli e è che di una per con sono in si ogni quindi c'è più ha questa non della",
}
"""Language -> frequent words; English is the language of the prompts."""
FREQUENT = {name: frozenset(words.split()) for name, words in WORDS.items()}
FEWEST = 3
"""Distinct frequent words of a language that tell a sentence's language."""
FEWEST_LETTERS = 4
"""Letters of another script; fewer may be a symbol. Greek letters are mathematics."""


def switches_language(text: str) -> bool:
    """Part of the text is in another script or language than the Latin script or English of the rest."""
    languages = {_language(part) for part in re.split(r"[.!?:;\n]+", text)} - {""}
    return (_other_script(text) and bool(re.search(r"[A-Za-z]{3}", text))) or len(languages) > 1


def _other_script(text: str) -> bool:
    letters = (character for character in text if ord(character) > 0x24F and character.isalpha())
    others = [
        c for c in letters if not unicodedata.name(c, "").startswith(("LATIN", "GREEK", "MATHEMATICAL"))
    ]
    return len(others) >= FEWEST_LETTERS


def _language(sentence: str) -> str:
    """The language with most frequent words in the sentence; empty with too few, or where two tie."""
    words = set(re.findall(r"[^\W\d_]+(?:'[^\W\d_]+)?", sentence.lower()))
    counts = sorted(((len(words & known), name) for name, known in FREQUENT.items()), reverse=True)
    (most, name), (second, _) = counts[0], counts[1]
    return name if most >= FEWEST and most > second else ""
