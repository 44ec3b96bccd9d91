"""Beds, rows and plants."""

from ..rows import Family, part, row

GARDEN = Family(
    name="garden",
    things={
        "plants": (
            "tulips",
            "roses",
            "beans",
            "lilies",
            "onions",
            "ferns",
            "daisies",
            "peppers",
            "leeks",
            "radishes",
        )
    },
    parts_from="plants",
    parts=(
        part(
            "*",
            "{item}_rows {item}_per_row {item}_count",
            "{She} plants {a} rows of {b} {item}.",
            "{She} sets {a} rows with {b} {item} in each.",
        ),
        part("n", "{item}_count", "{She} plants {n} {item}.", "{She} puts in {n} {item}."),
    ),
    total="total_plants",
    events=(
        row("-n", "frozen plants_left", "Frost kills {n} plants.", "{n} plants dry out."),
        row(
            "-x/c",
            "divisor eaten plants_left",
            "Rabbits eat {half} of the plants.",
            "{half} of the plants do not come up.",
        ),
        row(
            "+ab",
            "trays per_tray tray_plants new_total",
            "{friend} brings {a} trays of {b} plants.",
            "{She} adds {a} trays with {b} plants each.",
        ),
        row(
            "-ab",
            "neighbors each given plants_left",
            "{She} gives {a} neighbors {b} plants each.",
            "{a} neighbors get {b} plants each.",
        ),
    ),
    closings=(
        row("", "", "How many plants does {who} have?", "How many plants are in the garden?"),
        row(
            "/n",
            "beds plants_per_bed",
            "The plants stand in {n} equal beds. How many plants are in each bed?",
            "{She} divides the plants equally among {n} beds. How many plants does a bed get?",
        ),
        row(
            "*n",
            "water_each total_water",
            "Each plant needs {n} cups of water. How many cups is that in all?",
            "{She} gives every plant {n} cups of water. How many cups does {she} use?",
        ),
    ),
    distractors=("The garden is {n} meters long.", "The spade cost ${n}.", "{friend} has {n} trees."),
    unit="plants",
)
