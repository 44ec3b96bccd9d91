"""Names, pronouns and words that a problem is filled with."""

from functools import lru_cache

from .config import WorldConfig
from .rows import Family
from .stream import Stream, pick

PEOPLE = (
    ("Mia", "she"),
    ("Ben", "he"),
    ("Ana", "she"),
    ("Tom", "he"),
    ("Eva", "she"),
    ("Sam", "he"),
    ("Lily", "she"),
    ("Max", "he"),
    ("Zoe", "she"),
    ("Omar", "he"),
    ("Nina", "she"),
    ("Leo", "he"),
    ("Rosa", "she"),
    ("Ivan", "he"),
    ("Kate", "she"),
    ("Hugo", "he"),
    ("Priya", "she"),
    ("Jack", "he"),
    ("Wen", "she"),
    ("Paul", "he"),
)
_POSSESSIVE = {"she": "her", "he": "his"}
_OBJECT = {"she": "her", "he": "him"}
_IRREGULAR = {
    "loaves": "loaf",
    "knives": "knife",
    "shelves": "shelf",
    "brushes": "brush",
    "boxes": "box",
    "peaches": "peach",
    "dishes": "dish",
    "sandwiches": "sandwich",
    "benches": "bench",
    "watches": "watch",
    "tomatoes": "tomato",
    "potatoes": "potato",
    "cherries": "cherry",
    "puppies": "puppy",
    "berries": "berry",
    "strawberries": "strawberry",
    "people": "person",
    "children": "child",
    "geese": "goose",
    "mice": "mouse",
    "glasses": "glass",
    "torches": "torch",
    "radishes": "radish",
    "chess": "chess",
    "tennis": "tennis",
    "ferries": "ferry",
    "roses": "rose",
    "daisies": "daisy",
    "lilies": "lily",
    "pansies": "pansy",
    "buses": "bus",
    "dresses": "dress",
    "butterflies": "butterfly",
    "diaries": "diary",
    "canaries": "canary",
    "scarves": "scarf",
    "classes": "class",
}


def singular(plural: str) -> str:
    """The singular of one of our plural nouns; the last word carries it."""
    head, _, last = plural.rpartition(" ")
    one = _IRREGULAR.get(last) or last.removesuffix("s")
    return f"{head} {one}" if head else one


def people(config: WorldConfig) -> tuple[tuple[str, str], ...]:
    """The people in use, with their pronouns."""
    return PEOPLE if config.vocabulary == "all" else PEOPLE[: max(config.vocabulary, 2)]


def words(family: Family, kind: str, config: WorldConfig) -> tuple[str, ...]:
    """A family's word list, as far as it is in use."""
    found = family.things[kind]
    return found if config.vocabulary == "all" else found[: config.vocabulary]


@lru_cache(maxsize=64)
def _others(crowd: tuple[tuple[str, str], ...], pronoun: str) -> tuple[str, ...]:
    """Those of the other pronoun, so that he and she are never in doubt."""
    return tuple(name for name, other in crowd if other != pronoun)


@lru_cache(maxsize=1024)
def _person(name: str, pronoun: str) -> dict[str, str]:
    return {
        "who": name,
        "she": pronoun,
        "She": pronoun.capitalize(),
        "her": _POSSESSIVE[pronoun],
        "Her": _POSSESSIVE[pronoun].capitalize(),
        "herself": _OBJECT[pronoun] + "self",
        "them": _OBJECT[pronoun],
    }


def draw(family: Family, config: WorldConfig, source: Stream) -> dict[str, str]:
    """Who the story is about, a friend, and one word of each of the family's lists."""
    crowd = people(config)
    name, pronoun = pick(source, crowd)
    friend = pick(source, _others(crowd, pronoun))
    context = {**_person(name, pronoun), "friend": friend}
    for kind in family.things:
        if kind != family.parts_from:
            context[kind] = word = pick(source, words(family, kind, config))
            context["one_" + kind] = singular(word)
    context["unit"] = family.unit.format(**context)
    return context
