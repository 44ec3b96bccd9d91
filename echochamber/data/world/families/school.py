"""Classes, groups and seats on a school trip."""

from ..rows import Family, row

SCHOOL = Family(
    name="school",
    things={"place": ("zoo", "museum", "lake", "castle", "theater")},
    openings=(
        row(
            "ab",
            "class_count class_size students",
            "{a} classes of {b} students go to the {place}.",
            "A school takes {a} classes to the {place}. Each class has {b} students.",
        ),
        row(
            "a+b",
            "boys girls students",
            "{a} boys and {b} girls go to the {place}.",
            "A group of {a} boys and {b} girls visits the {place}.",
        ),
        row(
            "n",
            "students",
            "{n} students go to the {place}.",
            "A school takes {n} students to the {place}.",
            late=("On the list there were {n} students.",),
        ),
    ),
    events=(
        row(
            "-n", "sick students_left", "{n} people feel sick and go home.", "{n} people have to leave early."
        ),
        row("+n", "joining new_total", "{n} more students join them.", "Another {n} students come along."),
        row(
            "+ab",
            "groups parents_each parents new_total",
            "{a} groups of {b} parents come too.",
            "{a} cars bring {b} more people each.",
        ),
        row(
            "-x/c",
            "divisor leaving students_left",
            "After lunch, {half} of them go home.",
            "At noon, {half} of the group goes home.",
        ),
        row(
            "-ab",
            "vans seats in_vans students_left",
            "{a} vans each take {b} of them home.",
            "{b} of them leave in each of {a} vans.",
        ),
    ),
    closings=(
        row(
            "/n",
            "groups group_size",
            "They form {n} equal groups. How many are in each group?",
            "They split into {n} groups of the same size. How large is a group?",
        ),
        row(
            "*n",
            "ticket_price total_cost",
            "A ticket costs ${n} for each of them. How many dollars is that in all?",
            "Each of them pays ${n}. How many dollars do they pay together?",
        ),
        row("", "", "How many people are in the group now?", "How many of them are there now?"),
        row(
            "n-x",
            "seats free_seats",
            "The hall has {n} seats, and each of them takes one. How many seats stay empty?",
            "There are {n} seats for them. How many seats are free?",
        ),
    ),
    distractors=("The {place} is {n} km away.", "The guide is {n} years old.", "The tour takes {n} minutes."),
    unit="people",
    version=2,
)
