"""Cups of flour, in quarters: the family with fractions."""

from ..rows import Family, row

RECIPE = Family(
    name="recipe",
    things={
        "stuff": ("flour", "milk", "sugar", "rice", "oats", "water", "cream", "broth"),
        "dish": ("cakes", "pies", "soups", "loaves", "puddings", "stews"),
    },
    openings=(
        row("q", "cups", "A recipe asks for {n} cups of {stuff}.", "One {one_dish} takes {n} cups of {stuff}.", "For a {one_dish}, {who} needs {n} cups of {stuff}."),
        row("q*n", "cups_per_batch batches cups", "{who} makes {b} batches with {a} cups of {stuff} in each.", "One batch takes {a} cups of {stuff}, and {who} makes {b} batches."),
    ),
    events=(
        row("*n", "batches total_cups", "{who} makes {n} times that amount.", "{who} multiplies the amount by {n}."),
        row("+q", "extra total_cups", "{who} adds {n} more cups.", "{friend} asks for {n} cups on top."),
        row("-q", "saved cups_left", "{who} takes {n} cups less than that.", "{who} puts {n} of the cups back."),
        row("/h", "divisor smaller_amount", "{who} halves the amount.", "{who} takes only half of that."),
        row("+q*n", "cups_each pans pan_cups total_cups", "{b} pans get {a} more cups each.", "{who} adds {a} cups to each of {b} pans."),
    ),
    closings=(
        row("", "", "How many cups of {stuff} does {who} use?", "How many cups of {stuff} is that in all?"),
        row("nq-x", "stock cups_left", "{who} has {n} cups of {stuff} at home. How many cups are left after that?",
            "There are {n} cups of {stuff} in the kitchen, and {who} uses the amount above. How many cups stay?"),
        row("/h", "guests cups_per_guest", "Two guests share it equally. How many cups does each of the two get?", "It goes into two equal bowls. How many cups of {stuff} are in each bowl?"),
    ),
    asides=("The oven is {n} years old.", "The {one_dish} needs {n} minutes in the oven.", "{friend} has {n} spoons."),
    unit="cups",
)
