"""A collection grows and shrinks; the plainest story."""

from ..rows import Family, row

COLLECT = Family(
    name="collect",
    things={
        "items": (
            "pens",
            "cards",
            "shells",
            "stamps",
            "marbles",
            "coins",
            "stickers",
            "beads",
            "buttons",
            "badges",
        )
    },
    openings=(
        row(
            "n",
            "start",
            "{who} has {n} {items}.",
            "{who} owns {n} {items}.",
            "At first, {who} has {n} {items}.",
            late=("At the start, {who} had {n} {items}.", "Before all this, {who} had {n} {items}."),
        ),
        row(
            "ab",
            "boxes per_box start",
            "{who} has {a} boxes of {b} {items}.",
            "{who} has {a} boxes with {b} {items} in each.",
        ),
        row(
            "a+b",
            "red blue start",
            "{who} has {a} red {items} and {b} blue {items}.",
            "{who} has {b} blue {items} and {a} red ones.",
        ),
    ),
    events=(
        row(
            "+n",
            "bought new_total",
            "{She} buys {n} {items}.",
            "{She} buys {n} more {items}.",
            "Then {she} buys another {n} {items}.",
        ),
        row(
            "+n",
            "found new_total",
            "{She} finds {n} {items}.",
            "{She} finds {n} more {items}.",
            "Later, {she} finds {n} more.",
        ),
        row(
            "+n",
            "gift new_total",
            "{friend} gives {who} {n} {items}.",
            "{who} gets {n} {items} from {friend}.",
        ),
        row(
            "-n",
            "given amount_left",
            "{She} gives {n} {items} to {friend}.",
            "{She} gives {n} {items} away.",
            "Then {she} lets {friend} have {n} {items}.",
        ),
        row(
            "-n",
            "lost amount_left",
            "{She} loses {n} {items}.",
            "{n} of the {items} get lost.",
            "Then {she} loses {n} of {her} {items}.",
        ),
        row(
            "*c",
            "factor new_total",
            "{She} {doubles} {her} {items}.",
            "After that, {she} {doubles} {her} number of {items}.",
        ),
        row(
            "+ab",
            "packs per_pack pack_total new_total",
            "{She} buys {a} packs of {b} {items}.",
            "{She} gets {a} packs with {b} {items} each.",
        ),
        row(
            "-ab",
            "friends each given amount_left",
            "{She} gives {a} friends {b} {items} each.",
            "{a} friends get {b} {items} each from {who}.",
        ),
        row(
            "-x/c",
            "divisor part_given amount_left",
            "{She} gives {half} of {her} {items} to {friend}.",
            "{She} sells {half} of {her} {items}.",
        ),
    ),
    closings=(
        row(
            "",
            "",
            "How many {items} does {who} have now?",
            "How many {items} does {who} have in the end?",
            "What number of {items} does {who} have now?",
        ),
        row(
            "/n",
            "piles pile_size",
            "{She} puts {her} {items} into {n} equal piles. How many {items} are in each pile?",
            "{who} makes {n} equal piles of the {items}. How many {items} does a pile hold?",
        ),
        row(
            "n-x",
            "goal amount_missing",
            "{She} wants {n} {items}. How many more does {she} need?",
            "{Her} goal is {n} {items}. How many {items} are still missing?",
        ),
    ),
    distractors=("{friend} has {n} hats.", "{friend} is {n} years old.", "There are {n} books on the shelf."),
)
