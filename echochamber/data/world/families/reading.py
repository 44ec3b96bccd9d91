"""Pages of books, evenings and what is left to read."""

from ..rows import Family, part, row

READING = Family(
    name="reading",
    things={"times": ("mornings", "evenings", "afternoons", "early mornings")},
    parts_from="times",
    parts=(
        part(
            "*",
            "{item}_count {item}_pages_each {item}_pages",
            "{She} reads {b} pages on each of {a} {item}.",
            "On {a} {item}, {she} reads {b} pages each time.",
        ),
        part(
            "n", "{item}_pages", "{She} reads {n} pages in the {one}.", "In the {one}, {she} reads {n} pages."
        ),
    ),
    total="total_pages",
    events=(
        row(
            "+n",
            "more_pages new_total",
            "Then {she} reads {n} more pages.",
            "{She} goes on for {n} more pages.",
        ),
        row(
            "*c",
            "factor new_total",
            "Over the next week {she} {doubles} {her} number of pages.",
            "By the end of the month {she} {doubles} {her} number of pages.",
        ),
        row(
            "+ab",
            "comics comic_length comic_pages new_total",
            "{She} also reads {a} comics of {b} pages.",
            "{She} adds {a} comics with {b} pages each.",
        ),
    ),
    closings=(
        row("", "", "How many pages does {who} read in all?", "How many pages is that in all?"),
        row(
            "n-x",
            "book_length pages_left",
            "The book has {n} pages. How many pages are left to read?",
            "{Her} goal is {n} pages. How many pages does {she} still have to read?",
        ),
        row(
            "/n",
            "chapter_length chapters",
            "Each chapter has {n} pages. How many chapters does {she} read?",
            "A chapter is {n} pages long. How many chapters is that?",
        ),
    ),
    distractors=("The library is {n} minutes away.", "{friend} owns {n} books.", "The lamp cost ${n}."),
    unit="pages",
    version=2,
)
