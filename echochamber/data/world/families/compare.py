"""More, fewer, twice and half as many."""

from ..rows import Comparisons, Family, row

COMPARE = Family(
    name="compare",
    things={
        "items": ("pens", "cards", "shells", "stamps", "books", "coins", "toys", "apples", "games", "posters")
    },
    comparisons=Comparisons(
        measure="count",
        first=("{a} has {n} {items}.", "{a} owns {n} {items}."),
        relations=(
            row(
                "+n",
                "extra count",
                "{a} has {n} more {items} than {b}.",
                "{a} owns {n} more {items} than {b}.",
            ),
            row(
                "-n",
                "gap count",
                "{a} has {n} fewer {items} than {b}.",
                "{a} owns {n} fewer {items} than {b}.",
            ),
            row(
                "*c",
                "factor count",
                "{a} has {twice} as many {items} as {b}.",
                "{a} owns {twice} as many {items} as {b}.",
            ),
            row(
                "/c",
                "divisor count",
                "{a} has {half} as many {items} as {b}.",
                "{a} owns {half} as many {items} as {b}.",
            ),
        ),
        last=("How many {items} does {a} have?", "How many {items} does {a} own?"),
        both=(
            "How many {items} do {a} and {b} have together?",
            "How many {items} do {a} and {b} have in all?",
        ),
        difference=("How many more {items} does {a} have than {b}?",),
        everyone=("How many {items} do {all} have together?", "How many {items} do {all} have in all?"),
    ),
    distractors=("{who} is {n} years old.", "{who} has {n} hats."),
    unit="{items}",
    version=2,
)
