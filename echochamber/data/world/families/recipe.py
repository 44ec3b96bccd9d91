"""Cups of flour, in quarters: the family with fractions."""

from ..rows import Family, row

RECIPE = Family(
    name="recipe",
    things={
        "stuff": ("flour", "milk", "sugar", "rice", "oats", "water", "cream", "broth"),
        "dish": ("cakes", "pies", "soups", "loaves", "puddings", "stews"),
    },
    openings=(
        row(
            "q",
            "cups",
            "A recipe asks for {n} cups of {stuff}.",
            "One {one_dish} takes {n} cups of {stuff}.",
            "For a {one_dish}, {who} needs {n} cups of {stuff}.",
        ),
        row(
            "q*n",
            "cups_per_batch batches cups",
            "{who} makes {b} batches with {a} cups of {stuff} in each.",
            "One batch takes {a} cups of {stuff}, and {who} makes {b} batches.",
        ),
    ),
    events=(
        row(
            "*n",
            "batches total_cups",
            "{She} makes {n} times that amount.",
            "{She} multiplies the amount by {n}.",
        ),
        row("+q", "extra total_cups", "{She} adds {n} more cups.", "{friend} asks for {n} more cups."),
        row("-q", "saved cups_left", "{She} takes {n} cups less than that.", "{She} puts {n} cups back."),
        row("/h", "divisor smaller_amount", "{She} halves the amount.", "{She} takes only half of that."),
        row(
            "+q*n",
            "cups_each pans pan_cups total_cups",
            "Each of {b} pans gets another {a} cups.",
            "{She} adds {a} cups to each of {b} pans.",
        ),
    ),
    closings=(
        row("", "", "How many cups of {stuff} does {who} use?", "How many cups of {stuff} is that in all?"),
        row(
            "nq-x",
            "stock cups_left",
            "{She} has {n} cups of {stuff} at home. How many cups are left after that?",
            "{She} takes all of this from a stock of {n} cups. How many cups of {stuff} are left?",
        ),
        row(
            "/h",
            "guests cups_per_guest",
            "Two guests share it equally. How many cups does each of them get?",
            "It is divided equally between two bowls. How many cups of {stuff} are in each bowl?",
        ),
    ),
    distractors=(
        "The oven is {n} years old.",
        "The {one_dish} needs {n} minutes in the oven.",
        "{friend} has {n} spoons.",
    ),
    unit="cups",
    version=2,
)
