"""Hours at a rate, tips, rent."""

from ..rows import Family, part, row

WAGES = Family(
    name="wages",
    things={"days": ("Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays")},
    parts_from="days",
    parts=(
        part(
            "*",
            "{item}_hours {item}_rate {item}_pay",
            "On {one} {she} works {a} hours for ${b} an hour.",
            "{She} works {a} hours on {one} and earns ${b} per hour.",
        ),
        part("n", "{item}_pay", "On {one} {she} earns ${n}.", "{She} makes ${n} on {one}."),
    ),
    total="total_pay",
    events=(
        row("+n", "tips new_pay", "{She} gets ${n} in tips.", "{She} also gets tips of ${n}."),
        row("-n", "fare money_left", "{She} pays ${n} for the bus.", "The bus costs {who} ${n}."),
        row(
            "-ab",
            "meals meal_price meal_cost money_left",
            "{She} buys {a} meals at ${b} each.",
            "{She} pays for {a} meals that cost ${b} each.",
        ),
        row(
            "-x/c",
            "divisor rent money_left",
            "{She} pays {half} of the money for rent.",
            "{half} of the money goes on rent.",
        ),
    ),
    closings=(
        row("", "", "How many dollars does {who} have then?", "How much money does {who} have in the end?"),
        row(
            "n-x",
            "price money_missing",
            "{She} wants a bike for ${n}. How many more dollars does {she} need?",
            "A bike costs ${n}. How many dollars is {who} short?",
        ),
        row(
            "/n",
            "price_each count",
            "{She} spends it all on books at ${n} each. How many books does {she} get?",
            "With all the money {she} buys books for ${n} each. How many books is that?",
        ),
    ),
    distractors=("{She} is {n} years old.", "{friend} works for {n} days.", "The way to work is {n} km."),
    unit="dollars",
    version=2,
)
