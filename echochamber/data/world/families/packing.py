"""Boxes that hold so many, full boxes and what remains."""

from ..rows import Family, row

PACKING = Family(
    name="packing",
    things={
        "items": ("bottles", "jars", "eggs", "bulbs", "plates", "bricks", "tins", "candles"),
        "box": ("boxes", "crates", "trays", "cartons"),
    },
    openings=(
        row(
            "n",
            "start",
            "A shop gets {n} {items}.",
            "There are {n} {items} in a store room.",
            late=("The shop had {n} {items} at the start.",),
        ),
        row(
            "ab",
            "{box} per_{one_box} start",
            "A truck brings {a} {box} of {b} {items}.",
            "A store room has {a} {box} with {b} {items} in each.",
        ),
        row(
            "abc",
            "shelves {box} per_{one_box} {box}_total start",
            "A store room has {a} shelves. Each shelf holds {b} {box} of {c} {items}.",
            "{a} shelves hold {b} {box} each, with {c} {items} in every {one_box}.",
        ),
    ),
    events=(
        row(
            "-n", "broken amount_left", "{n} {items} are broken and thrown away.", "{n} of the {items} break."
        ),
        row("-n", "sold amount_left", "{who} sells {n} {items}.", "Customers buy {n} {items}."),
        row("+n", "delivered new_total", "{n} more {items} arrive.", "Another {n} {items} are delivered."),
        row(
            "-ab",
            "orders order_size ordered amount_left",
            "{a} customers take {b} {items} each.",
            "{who} sends off {a} orders of {b} {items}.",
        ),
        row(
            "+x/c",
            "divisor extra new_total",
            "Then {half} as many again are delivered.",
            "A delivery brings {half} as many again.",
        ),
    ),
    closings=(
        row(
            "-ab",
            "{box} per_{one_box} packed amount_left",
            "{who} packs the {items} in {box} of {b} and fills {a} {box}. How many {items} are left over?",
            "{a} {box} are filled with {b} {items} each. How many {items} remain?",
        ),
        row(
            "/n",
            "per_{one_box} {one_box}_count",
            "A {one_box} holds {n} {items}. How many {box} are needed for all the {items}?",
            "{who} packs them in {box} of {n}. How many {box} does {who} fill?",
        ),
        row("", "", "How many {items} are there now?", "How many {items} are there in the end?"),
    ),
    distractors=("The shop is open {n} hours.", "The truck drives {n} km.", "A {one_box} weighs {n} grams."),
    unit="{items}",
    version=2,
)
