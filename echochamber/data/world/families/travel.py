"""Distances: legs at a speed for some hours."""

from ..rows import Family, part, row

TRAVEL = Family(
    name="travel",
    things={"ways": ("trains", "buses", "bikes", "boats", "cars", "scooters")},
    parts_from="ways",
    parts=(
        part(
            "*",
            "{item}_hours {item}_speed {item}_distance",
            "{She} goes by {one} for {a} hours at {b} km an hour.",
            "{She} travels {a} hours by {one} at {b} km per hour.",
        ),
        part("n", "{item}_distance", "{She} goes {n} km by {one}.", "{She} travels {n} km by {one}."),
    ),
    total="total_distance",
    events=(
        row("+n", "walk new_distance", "{She} walks {n} km.", "Then {she} walks another {n} km."),
        row(
            "+ab",
            "laps lap_length laps_distance new_distance",
            "{She} runs {a} laps of {b} km.",
            "{She} also runs {a} laps of {b} km each.",
        ),
        row(
            "*c",
            "factor new_distance",
            "The next day {she} {doubles} the distance that {she} has done so far.",
            "By evening {she} {doubles} {her} distance so far.",
        ),
    ),
    closings=(
        row(
            "",
            "",
            "How many km does {who} go in all?",
            "How far does {who} go in all, in km?",
            "What is the whole distance in km?",
        ),
        row(
            "n-x",
            "route distance_left",
            "The whole route is {n} km. How many km are left?",
            "The goal is {n} km away. How many km does {she} still have to go?",
        ),
        row(
            "/n",
            "days distance_per_day",
            "This takes {n} days, with the same distance each day. How many km is that per day?",
            "{She} spreads the distance evenly over {n} days. How many km does {she} do each day?",
        ),
    ),
    distractors=("{She} carries {n} kg.", "It is {n} degrees warm.", "The ticket costs ${n}."),
    unit="km",
    version=2,
)
