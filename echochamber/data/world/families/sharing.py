"""Equal sharing among children, with some left for oneself."""

from ..rows import Family, row

SHARING = Family(
    name="sharing",
    things={"items": ("sweets", "nuts", "plums", "cookies", "grapes", "figs", "rolls", "peaches")},
    openings=(
        row(
            "n",
            "start",
            "{who} has {n} {items}.",
            "There are {n} {items} on {who}'s table.",
            late=("At first there were {n} {items}.",),
        ),
        row(
            "ab",
            "bags per_bag start",
            "{who} has {a} bags of {b} {items}.",
            "{who} opens {a} bags with {b} {items} each.",
        ),
        row(
            "abc",
            "boxes bags per_bag bag_total start",
            "{who} has {a} boxes. Each box holds {b} bags of {c} {items}.",
            "{who} has {a} boxes with {b} bags in each, and every bag holds {c} {items}.",
        ),
    ),
    events=(
        row("+n", "added new_total", "{friend} adds {n} {items}.", "{friend} brings {n} more {items}."),
        row("-n", "eaten amount_left", "{She} eats {n} {items}.", "{who} eats {n} of the {items}."),
        row(
            "-x/c",
            "divisor part_eaten amount_left",
            "The guests eat {half} of the {items}.",
            "{half} of the {items} are eaten.",
        ),
        row(
            "*c",
            "factor new_total",
            "{friend} {doubles} the number of {items}.",
            "Then {friend} {doubles} the number of {items}.",
        ),
        row(
            "+ab",
            "plates per_plate plate_total new_total",
            "{friend} brings {a} plates of {b} {items}.",
            "{a} plates with {b} {items} each are added.",
        ),
    ),
    closings=(
        row(
            "/n",
            "children share",
            "{n} children share the {items} equally. How many does each child get?",
            "{She} gives the {items} to {n} children, the same number to each. "
            "How many {items} does a child get?",
        ),
        row(
            "-ab",
            "children each handed_out amount_left",
            "{She} gives {a} children {b} {items} each. How many {items} are left?",
            "{a} children take {b} {items} each. How many {items} remain?",
        ),
        row(
            "/c",
            "divisor share",
            "{She} keeps {half} of the {items}. How many {items} is that?",
            "{half} of the {items} go to {friend}. How many {items} does {friend} get?",
        ),
    ),
    distractors=(
        "There are {n} pictures on the wall.",
        "The table has {n} chairs.",
        "{friend} brings {n} candles.",
    ),
    version=2,
)
