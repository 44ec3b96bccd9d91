"""Buying things at a price, vouchers and change."""

from ..rows import Family, part, row

SHOPPING = Family(
    name="shopping",
    things={
        "goods": (
            "apples",
            "pens",
            "cups",
            "books",
            "lamps",
            "caps",
            "candles",
            "mugs",
            "scarves",
            "notebooks",
            "brushes",
        )
    },
    parts_from="goods",
    parts=(
        part(
            "*",
            "{item}_count {item}_price {item}_cost",
            "{She} buys {a} {item} at ${b} each.",
            "{She} buys {a} {item} for ${b} each.",
            "{She} pays ${b} each for {a} {item}.",
        ),
        part("n", "{item}_cost", "{She} buys a box of {item} for ${n}.", "{She} spends ${n} on {item}."),
    ),
    total="total_cost",
    events=(
        row(
            "-n",
            "voucher reduced_cost",
            "A voucher takes ${n} off.",
            "{She} has a voucher for ${n} off.",
            "The shop takes ${n} off the bill.",
        ),
        row(
            "+n",
            "delivery new_cost",
            "Delivery costs ${n}.",
            "{She} also pays ${n} for delivery.",
            "There is a delivery fee of ${n}.",
        ),
        row(
            "+ab",
            "bags bag_price bag_cost new_cost",
            "{She} adds {a} bags at ${b} each.",
            "{She} also takes {a} bags for ${b} each.",
        ),
        row(
            "-x/c",
            "divisor discount reduced_cost",
            "A sale takes {half} off the bill.",
            "The shop takes {half} off the price of it all.",
        ),
    ),
    closings=(
        row(
            "",
            "",
            "How much does {who} pay?",
            "How many dollars does {who} spend in all?",
            "What is the total cost in dollars?",
        ),
        row(
            "n-x",
            "paid change",
            "{She} pays with ${n}. How much change does {she} get?",
            "{She} hands over ${n}. How many dollars does {she} get back?",
        ),
        row(
            "/n",
            "friends share",
            "{n} friends split the cost equally. How much does each pay?",
            "The cost is shared equally by {n} people. How many dollars does each of them pay?",
        ),
    ),
    distractors=(
        "The shop is {n} minutes away.",
        "{friend} has ${n} at home.",
        "There are {n} people in the shop.",
    ),
    unit="dollars",
)
