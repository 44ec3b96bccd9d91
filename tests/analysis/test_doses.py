"""Series of mixtures that differ in one source's copies, and their figure."""

from echochamber.analysis.plots.doses import copies_series

MIXTURES = {
    "tg": {"budget_tokens": 1, "sources": {"tinygsm": {"copies": 1}, "omi1": {"copies": 1}}},
    "tg4": {"budget_tokens": 2, "sources": {"tinygsm": {"copies": 1}, "omi1": {"copies": 4}}},
    "tg8": {"budget_tokens": 3, "sources": {"tinygsm": {"copies": 1}, "omi1": {"copies": 8}}},
    "other": {"sources": {"tinygsm": {"copies": 2}, "omi2": {"copies": 8}}},
    "shares": {"sources": {"tinygsm": {"share": 0.5, "copies": None}, "omi1": {"copies": 2}}},
}


def test_only_mixtures_that_differ_in_one_source_make_a_series() -> None:
    assert copies_series(MIXTURES) == {"omi1": {1.0: "tg", 4.0: "tg4", 8.0: "tg8"}}


def test_nothing_to_compare_is_no_series() -> None:
    assert copies_series({"tg": MIXTURES["tg"]}) == {}
    assert copies_series({"broken": None, "empty": {"sources": None}}) == {}
