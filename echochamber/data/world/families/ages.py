"""Older, younger, twice as old."""

from ..rows import Comparisons, Family, row

AGES = Family(
    name="ages",
    things={},
    comparisons=Comparisons(
        measure="age",
        first=("{a} is {n} years old.", "The age of {a} is {n}."),
        relations=(
            row("+n", "gap age", "{a} is {n} years older than {b}.", "{a} was born {n} years before {b}."),
            row("-n", "gap age", "{a} is {n} years younger than {b}.", "{a} was born {n} years after {b}."),
            row("*c", "factor age", "{a} is {twice} as old as {b}.", "{a} is {twice} the age of {b}."),
            row("/c", "divisor age", "{a} is {half} as old as {b}.", "{a} is {half} the age of {b}."),
        ),
        last=("How old is {a}?", "What is the age of {a}?"),
        both=("What do the ages of {a} and {b} add up to?", "What is the sum of the ages of {a} and {b}?"),
        difference=("How many years older is {a} than {b}?",),
        everyone=("What do the ages of {all} add up to?", "What is the sum of the ages of {all}?"),
    ),
    distractors=("{who} lives at number {n}.", "{who} has {n} cousins."),
    unit="years",
    most=100,
)
