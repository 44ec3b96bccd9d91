"""Machines that make so many parts an hour."""

from ..rows import Family, row

FACTORY = Family(
    name="factory",
    things={"parts": ("bolts", "wheels", "screens", "pedals", "keys", "springs", "bricks", "pipes")},
    openings=(
        row(
            "ab",
            "hours per_hour output",
            "A machine makes {b} {parts} an hour and runs for {a} hours.",
            "For {a} hours, a machine turns out {b} {parts} per hour.",
        ),
        row(
            "abc",
            "machines hours per_hour machine_hours output",
            "{a} machines run for {b} hours. Each makes {c} {parts} an hour.",
            "{a} machines work for {b} hours, and each makes {c} {parts} per hour.",
        ),
        row(
            "n",
            "output",
            "A machine has made {n} {parts}.",
            "A workshop starts the day with {n} {parts}.",
            late=("At the start of the day there were {n} {parts}.",),
        ),
    ),
    events=(
        row(
            "-n",
            "faulty good_output",
            "{n} of the {parts} are faulty and scrapped.",
            "{who} throws out {n} faulty {parts}.",
        ),
        row(
            "+n",
            "handmade new_output",
            "{who} makes {n} more {parts} by hand.",
            "{friend} adds {n} {parts} made by hand.",
        ),
        row(
            "+ab",
            "extra_hours extra_rate extra_output new_output",
            "A second machine adds {b} {parts} an hour for {a} hours.",
            "An old machine runs for {a} hours and adds {b} {parts} an hour.",
        ),
        row(
            "+x/c",
            "divisor increase new_output",
            "A night shift adds {half} as many again.",
            "Overtime adds {half} as many again.",
        ),
        row(
            "-x/c",
            "divisor shipped output_left",
            "{half} of the {parts} are shipped.",
            "A truck takes {half} of the {parts} away.",
        ),
    ),
    closings=(
        row("", "", "How many {parts} are there now?", "How many {parts} are there in the end?"),
        row(
            "/n",
            "per_toy toys",
            "Each toy needs {n} {parts}. How many toys can be built with all of them?",
            "One toy takes {n} {parts}. For how many toys are there exactly enough {parts}?",
        ),
        row(
            "n-x",
            "order parts_missing",
            "An order asks for {n} {parts}. How many are still missing?",
            "The goal is {n} {parts}. How many more are needed?",
        ),
        row(
            "*n",
            "price income",
            "Each of them sells for ${n}. How many dollars do they bring?",
            "At ${n} each, how many dollars are the {parts} worth?",
        ),
    ),
    distractors=("The hall is {n} meters long.", "{who} is {n} years old.", "The machine weighs {n} kg."),
    unit="{parts}",
    version=2,
)
