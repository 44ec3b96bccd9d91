"""Points in several games, totals and averages."""

from ..rows import Family, part, row

SCORES = Family(
    name="scores",
    things={"game": ("darts", "cards", "chess", "bowling", "golf", "archery", "tennis", "checkers")},
    parts_from="game",
    parts=(
        part(
            "*",
            "{item}_rounds {item}_points_each {item}_points",
            "In {item}, {she} scores {b} points in each of {a} rounds.",
            "{She} plays {a} rounds of {item} and gets {b} points in each.",
        ),
        part("n", "{item}_points", "{She} scores {n} points in {item}.", "In {item}, {she} gets {n} points."),
    ),
    total="total_points",
    closings=(
        row("", "", "How many points does {who} have in all?", "What is {her} total score?"),
        row(
            "/parts",
            "games average",
            "What is {her} average score per game?",
            "How many points per game is that on average?",
        ),
        row(
            "n-x",
            "record points_missing",
            "The record is {n} points. How many points is {who} short of it?",
            "{She} needs {n} points to win. How many points are missing?",
        ),
        row(
            "-n",
            "penalty final_score",
            "{n} points are taken off as a penalty. How many points does {who} have?",
            "{She} gets a penalty of {n} points. What is {her} final score?",
        ),
    ),
    distractors=("{friend} has {n} medals.", "The hall has {n} seats.", "{She} is {n} years old."),
    unit="points",
)
