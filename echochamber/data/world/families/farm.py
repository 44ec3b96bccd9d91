"""Animals that give something every day, and what it sells for."""

from ..rows import Family, row

FARM = Family(
    name="farm",
    things={"goods": ("eggs", "pumpkins", "melons", "carrots", "cabbages", "pears", "lemons")},
    openings=(
        row(
            "ab",
            "days per_day start",
            "{who} gathers {b} {goods} a day for {a} days.",
            "For {a} days, {who} picks {b} {goods} each day.",
        ),
        row(
            "n",
            "start",
            "{who} gathers {n} {goods}.",
            "{who} brings in {n} {goods}.",
            late=("At first, {who} had gathered {n} {goods}.",),
        ),
        row(
            "abc",
            "weeks days per_day day_count start",
            "For {a} weeks, {who} works {b} days a week and gathers {c} {goods} on each of those days.",
            "{who} gathers {c} {goods} a day, {b} days a week, for {a} weeks.",
        ),
    ),
    events=(
        row("-n", "eaten amount_left", "The family eats {n} {goods}.", "{n} {goods} are eaten at home."),
        row("-n", "spoiled amount_left", "{n} {goods} go bad.", "{She} throws {n} bad {goods} away."),
        row(
            "+n", "gift new_total", "A neighbor brings {n} {goods}.", "{friend} gives {who} {n} more {goods}."
        ),
        row(
            "-ab",
            "guests per_guest handed_out amount_left",
            "{a} guests get {b} {goods} each.",
            "{She} gives {b} {goods} to each of {a} guests.",
        ),
        row(
            "-x/c",
            "divisor part_given amount_left",
            "{She} gives {half} of the {goods} away.",
            "{half} of the {goods} go to {friend}.",
        ),
        row(
            "+x*c",
            "factor late_harvest new_total",
            "Then {she} gathers {twice} as many as {she} has and puts them with the others.",
            "A late harvest adds {twice} as many as {she} has.",
        ),
    ),
    closings=(
        row(
            "*n",
            "price income",
            "{She} sells the {goods} for ${n} each. How many dollars does {she} earn?",
            "At ${n} each, how many dollars do the {goods} bring?",
        ),
        row("", "", "How many {goods} does {who} have now?", "How many {goods} does {who} have then?"),
        row(
            "/n",
            "baskets per_basket",
            "{She} fills {n} baskets with the same number in each. How many {goods} are in a basket?",
            "The {goods} are spread evenly over {n} baskets. How many {goods} does each basket hold?",
        ),
    ),
    distractors=(
        "The farm has {n} hens.",
        "{who} gets up {n} minutes before sunrise.",
        "The barn has {n} doors.",
    ),
    unit="{goods}",
    version=2,
)
