"""Prices with percentages off and on top."""

from ..rows import Family, row

DISCOUNT = Family(
    name="discount",
    things={"item": ("bikes", "coats", "tables", "phones", "tents", "chairs", "guitars", "radios")},
    openings=(
        row(
            "n",
            "price",
            "A {one_item} costs ${n}.",
            "The price of a {one_item} is ${n}.",
            late=("Before all that, the {one_item} cost ${n}.",),
        ),
        row(
            "ab",
            "{item} price_each price",
            "{who} wants {a} {item} at ${b} each.",
            "{who} orders {a} {item} for ${b} each.",
        ),
        row(
            "a+b",
            "price_before tax price",
            "A {one_item} costs ${a}, and ${b} of tax comes on top.",
            "The price of a {one_item} is ${a} plus ${b} for tax.",
        ),
    ),
    events=(
        row(
            "-%n",
            "percent scaled_price discount new_price",
            "The price falls by {n}%.",
            "A sale takes {n}% off the price.",
        ),
        row(
            "+%n",
            "percent scaled_price increase new_price",
            "The price rises by {n}%.",
            "The shop puts {n}% on top of the price.",
        ),
        row("-n", "voucher new_price", "A voucher takes ${n} off.", "{who} gets ${n} off."),
        row("+n", "shipping new_price", "Shipping adds ${n}.", "Insurance costs ${n} extra."),
        row(
            "-x/c",
            "divisor discount new_price",
            "A sale takes {half} off the price.",
            "The price is cut by {half}.",
        ),
    ),
    closings=(
        row("", "", "How many dollars is that in the end?", "What is the final price in dollars?"),
        row(
            "%n",
            "percent scaled_price deposit",
            "{who} pays {n}% of the price at once. How many dollars is that?",
            "A deposit of {n}% of the price is due. How many dollars is the deposit?",
        ),
        row(
            "n-x",
            "savings money_left",
            "{who} has ${n} and pays this price. How many dollars are left?",
            "{who} pays with ${n}. How many dollars does {who} get back?",
        ),
        row(
            "/n",
            "months monthly_payment",
            "{who} pays in {n} equal monthly installments. How many dollars is one installment?",
            "The price is split into {n} equal payments. How many dollars is one payment?",
        ),
    ),
    distractors=("The {one_item} weighs {n} kg.", "The shop has {n} windows.", "{friend} is {n} years old."),
    unit="dollars",
    version=2,
)
