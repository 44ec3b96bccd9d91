"""Longer, shorter, half as long."""

from ..rows import Comparisons, Family, row

LENGTHS = Family(
    name="lengths",
    things={"thing": ("ropes", "ribbons", "planks", "chains", "scarves", "cables", "belts")},
    comparisons=Comparisons(
        measure="length",
        first=("{a}'s {one_thing} is {n} cm long.", "{a} has a {one_thing} of {n} cm."),
        relations=(
            row(
                "+n",
                "extra length",
                "{a}'s {one_thing} is {n} cm longer than {b}'s.",
                "{a} has a {one_thing} that is {n} cm longer than {b}'s.",
            ),
            row(
                "-n",
                "gap length",
                "{a}'s {one_thing} is {n} cm shorter than {b}'s.",
                "{a} has a {one_thing} that is {n} cm shorter than {b}'s.",
            ),
            row(
                "*n",
                "factor length",
                "{a}'s {one_thing} is {n} times as long as {b}'s.",
                "{a} has a {one_thing} {n} times as long as {b}'s.",
            ),
            row(
                "/c",
                "divisor length",
                "{a}'s {one_thing} is {half} as long as {b}'s.",
                "{a} has a {one_thing} {half} as long as {b}'s.",
            ),
        ),
        last=("How many cm long is {a}'s {one_thing}?", "What is the length of {a}'s {one_thing} in cm?"),
        both=(
            "How many cm long are the {thing} of {a} and {b} together?",
            "What is the total length of {a}'s and {b}'s {thing} in cm?",
        ),
        difference=("How many cm longer is {a}'s {one_thing} than {b}'s?",),
        everyone=(
            "How many cm long are the {thing} of {all} together?",
            "What is the total length in cm of the {thing} of {all}?",
        ),
    ),
    distractors=("{who} is {n} years old.", "{who} has a box of {n} nails."),
    unit="cm",
    small=6,
    version=2,
)
