"""People get on a bus and off it."""

from ..rows import Family, row

RIDERS = Family(
    name="riders",
    things={"bus": ("buses", "trains", "trams", "ferries", "streetcars")},
    openings=(
        row(
            "n",
            "riders",
            "There are {n} people on a {one_bus}.",
            "A {one_bus} starts with {n} people.",
            late=("At the start, there were {n} people on the {one_bus}.",),
        ),
        row(
            "ab",
            "rows seats_per_row riders",
            "People sit in {a} rows of {b} on a {one_bus}.",
            "A {one_bus} carries {a} rows with {b} people in each.",
        ),
        row(
            "a+b",
            "adults children riders",
            "{a} adults and {b} children are on a {one_bus}.",
            "A {one_bus} carries {a} adults and {b} children.",
        ),
    ),
    events=(
        row("+n", "boarded new_count", "{n} people get on.", "At the next stop, {n} people get on."),
        row("-n", "left_behind count_left", "{n} people get off.", "At the next stop, {n} people get off."),
        row(
            "-x/c",
            "divisor leaving count_left",
            "Then {half} of the people get off.",
            "At the next stop, {half} of the people get off.",
        ),
        row(
            "+ab",
            "groups group_size joining new_count",
            "{a} groups of {b} people get on.",
            "Then {a} families of {b} get on.",
        ),
        row(
            "*c",
            "factor new_count",
            "At the next stop, the number of people on board {doubles}.",
            "Then so many get on that the number {doubles}.",
        ),
    ),
    closings=(
        row("", "", "How many people are on the {one_bus} now?", "How many people are on board in the end?"),
        row(
            "n-x",
            "seats free_seats",
            "The {one_bus} has {n} seats. How many are free?",
            "There is room for {n} people in all. How many more could get on?",
        ),
        row(
            "*n",
            "fare income",
            "Each of them pays ${n}. How many dollars is that?",
            "A ticket costs ${n} for each person on board. How many dollars do they pay together?",
        ),
    ),
    distractors=(
        "The driver is {n} years old.",
        "The trip takes {n} minutes.",
        "The {one_bus} has {n} windows.",
    ),
    unit="people",
    version=2,
)
