"""How many cases `make test-all` draws, and that a fault of each kind would be seen."""

import pytest

from .command import CASES, Ended, call, check, portions


def test_twenty_thousand_cases_in_this_process_and_three_hundred_as_processes() -> None:
    assert sum(number for kind, number in CASES.items() if kind != "processes") == 20_000
    assert CASES["processes"] == 300
    for kind, number in CASES.items():
        drawn = [parameter.values[0] for parameter in portions(kind, default=0, size=70)]
        assert sum(portion.examples for portion in drawn) == number
        assert len({portion.number for portion in drawn}) == len(drawn)


def test_a_bug_a_traceback_and_an_exit_without_a_reason_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AssertionError, match="without a reason"):
        check(Ended(2, "", "something\n"))
    with pytest.raises(AssertionError):
        check(Ended(0, "", "Traceback (most recent call last)\n"))
    monkeypatch.setattr("echochamber.study.recipe.load_recipe", lambda *_: [][1])
    with pytest.raises(AssertionError, match="exit status 70") as seen:
        check(call("show", "smoke"))
    assert "IndexError" in str(seen.value)
