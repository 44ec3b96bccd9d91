"""Titles and colours of formats on every surface."""

from echochamber.analysis.format_display import format_displays
from echochamber.core.formats import FORMAT_NAMES


def test_displays_have_one_colour_each_in_order_of_registration() -> None:
    found = format_displays({"a": "first", "tinygsm": "not ours", "b": ""}, ("b", "c", "omi1"))
    assert list(found) == [*FORMAT_NAMES, "a", "b", "c"]
    assert [row.color for row in found.values()] == list(range(len(found)))
    assert found["tinygsm"].label == "Python function (tinygsm)"
    assert (found["a"].label, found["b"].label) == ("first (a)", "b")
