"""Pocket money, weeks of saving and a goal."""

from ..rows import Family, row

SAVINGS = Family(
    name="savings",
    things={"wish": ("kites", "drums", "boards", "cameras", "watches", "games")},
    openings=(
        row(
            "n",
            "start",
            "{who} has ${n} in a box.",
            "{who} starts with ${n}.",
            late=("At the start, {who} had ${n}.",),
        ),
        row(
            "ab",
            "weeks per_week start",
            "{who} saves ${b} a week for {a} weeks.",
            "For {a} weeks, {who} puts ${b} a week aside.",
        ),
        row(
            "a+b",
            "coins_value notes_value start",
            "{who} has ${a} in coins and ${b} in notes.",
            "{who} has ${b} in notes and ${a} in coins.",
        ),
    ),
    events=(
        row("+n", "gift new_total", "{friend} gives {who} ${n}.", "For {her} birthday {she} gets ${n}."),
        row("-n", "spent money_left", "{She} spends ${n}.", "{She} pays ${n} for a ticket."),
        row(
            "+ab",
            "jobs pay_per_job job_pay new_total",
            "{She} does {a} jobs for ${b} each.",
            "{She} earns ${b} on each of {a} days.",
        ),
        row(
            "+x/c",
            "divisor bonus new_total",
            "{Her} aunt adds {half} of what {she} has.",
            "As a bonus, {she} gets {half} as much money again.",
        ),
        row(
            "-x/c",
            "divisor lent money_left",
            "{She} lends {half} of {her} money to {friend}.",
            "{She} gives {half} of {her} money away.",
        ),
        row(
            "*c",
            "factor new_total",
            "{Her} uncle {doubles} {her} money.",
            "Then {her} parents {double} {her} money.",
        ),
    ),
    closings=(
        row("", "", "How many dollars does {who} have now?", "How much money does {who} have in the end?"),
        row(
            "n-x",
            "price money_missing",
            "A {one_wish} costs ${n}. How many more dollars does {she} need?",
            "{She} wants a {one_wish} for ${n}. How many dollars are missing?",
        ),
        row(
            "/n",
            "price_each count",
            "With all of it, {she} buys {wish} at ${n} each. How many {wish} is that?",
            "How many {wish} at ${n} each can {she} buy with all of it?",
        ),
    ),
    distractors=("{Her} money box is {n} cm wide.", "{friend} has {n} coins.", "The shop is {n} km away."),
    unit="dollars",
    version=2,
)
