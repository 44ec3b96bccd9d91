"""Water runs into a tank and out of it."""

from ..rows import Family, row

TANK = Family(
    name="tank",
    things={"tank": ("tank", "pool", "pond", "barrel", "basin")},
    openings=(
        row(
            "n",
            "start",
            "A {tank} holds {n} liters.",
            "There are {n} liters of water in a {tank}.",
            late=("At the start, the {tank} held {n} liters.",),
        ),
        row(
            "ab",
            "minutes rate start",
            "A {tank} is empty. Water runs in for {a} minutes at {b} liters per minute.",
            "An empty {tank} is filled for {a} minutes at {b} liters a minute.",
        ),
    ),
    events=(
        row("+n", "added new_volume", "{n} liters are added.", "{who} pours in {n} liters."),
        row("-n", "used volume_left", "{n} liters are used.", "{who} takes out {n} liters."),
        row(
            "+ab",
            "fill_minutes fill_rate inflow new_volume",
            "A hose adds {b} liters a minute for {a} minutes.",
            "For {a} minutes, rain adds {b} liters each minute.",
        ),
        row(
            "-ab",
            "leak_minutes leak_rate outflow volume_left",
            "The {tank} leaks {b} liters a minute for {a} minutes.",
            "For {a} minutes the {tank} loses {b} liters each minute.",
        ),
        row(
            "-x/c",
            "divisor drained volume_left",
            "Then {half} of the water is drained.",
            "{who} lets {half} of the water out.",
        ),
        row(
            "*c",
            "factor new_volume",
            "Rain {doubles} the water in it.",
            "Overnight the water in it {doubles}.",
        ),
    ),
    closings=(
        row(
            "",
            "",
            "How many liters are in the {tank} now?",
            "How many liters does the {tank} hold in the end?",
        ),
        row(
            "n-x",
            "capacity space_left",
            "The {tank} can hold {n} liters. How many more liters fit in?",
            "The {tank} is full at {n} liters. How many liters are missing?",
        ),
        row(
            "/n",
            "cans can_volume",
            "The water fills {n} equal cans. How many liters are in each can?",
            "The water is poured into {n} cans of one size. How many liters does a can hold?",
        ),
    ),
    distractors=("The {tank} is {n} years old.", "{who} has {n} plants.", "It is {n} degrees outside."),
    unit="liters",
    version=2,
)
