"""Shipped traits: hand-made cases of each rule, bounds in time, and the labelled completions."""

import time
from pathlib import Path

import pytest

from benchmarks.trait_rules import read_labelled, read_later, score
from echochamber.core.errors import UserError
from echochamber.verify.behaviours import BehaviourConfig, behaviour_traits
from echochamber.verify.reasoning_traits import SHIPPED_TRAITS, shipped_trait

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
DOCS = Path(__file__).resolve().parents[2] / "docs"
CASES = {
    "verification": (
        ["So x = 4. Let's check: 2 * 4 = 8.", "We verify that 3 + 4 = 7.", "x = 2\nassert x == 2"],
        ["We can check the cases one by one.", "Pay by check.", "def f():\n    return 2"],
    ),
    "backtracking": (
        [
            "Wait, that is 12.",
            "There was a mistake above.",
            "Let's try again.",
            "We need a different approach.",
        ],
        ["They wait for two hours.", "The mistaken driver paid 3 dollars.", "x = 3"],
    ),
    "subgoals": (
        ["First, find the price. Next, calculate the total.", "1. Find the area.\n2. Compute the cost."],
        [
            "The price is 3, so the total is 6.",
            "First, find the price.",
            "```\n# First, find a\n# Next, find b\n```",
        ],
    ),
    "working_backward": (
        [
            "Let's work backwards from 24.",
            "Start from the final amount and halve it.",
            "To get 75, we need 3 * 25.",
        ],
        ["He walked backwards for 2 miles.", "x + 3 = 5, so x = 2."],
    ),
    "program": (
        ["def f() -> int:\n    return 2", "```python\nx = 1", "So:\n<llm-code>\n1 + 1\n</llm-code>"],
        ["The default is 3.", "Price = 3 * 4", "It is important to import goods from Spain."],
    ),
    "latex": (
        ["$x = 3$", r"\[ 1 + 1 \]", r"so \frac{1}{2}", r"it is $\boxed{3}$"],
        ["It costs $3 and $4.", r"\$10 and \$12", r"so \boxed{90} carrots", "$80 x 3 = $240 per year"],
    ),
    "step_list": (
        ["Step 1: a\nStep 2: b", "1. a\n2. b", "- a = 1\n- b = 2", "## Step 1: a\nx\n## Step 2: b"],
        ["Step 1: a", "There are 2. And 3. too", "- pens\n- boxes"],
    ),
    "repetition": (
        ["the boat sails to the island and back home.\n" * 2, "# J = S - 4\n" * 5],
        ["x = 1\ny = 2\n", "return result\nreturn result\n", "a = 1\n" * 4],
    ),
    "language_switch": (
        [
            "The answer is clear. 所以答案是十八。",
            "So we have that the sum is 3. Das ist die Summe und es ist nicht mehr.",
        ],
        [
            "The angle α is 3 and β is 4.",
            "It is 18 m².",
            "def f(): return 3",
            "El resultado es que la suma es 3.",
        ],
    ),
}


@pytest.mark.parametrize("name", SHIPPED_TRAITS)
def test_cases(name):
    holds = SHIPPED_TRAITS[name].holds
    yes, no = CASES[name]
    assert [text for text in yes if not holds(text)] == []
    assert [text for text in no if holds(text)] == []


@pytest.mark.parametrize(
    "text", ["", "\0", "\ud800", "a" * 200_000, "1. " * 50_000, "$ " * 50_000, "```" * 9_999]
)
def test_odd_texts_take_little_time(text):
    started = time.process_time()
    for trait in SHIPPED_TRAITS.values():
        assert trait.holds(text) in (True, False)
    assert time.process_time() - started < 5


def test_a_recipe_names_a_shipped_trait():
    own = BehaviourConfig.parse({"kind": "trait", "shipped": "backtracking"}, "behaviours.doubts")
    (row,) = behaviour_traits({"doubts": own})
    assert (row.name, row.title) == ("doubts", SHIPPED_TRAITS["backtracking"].title)
    assert row.holds("Wait, no.")
    assert own.settings() == {"kind": "trait", "shipped": "backtracking@1"}
    assert BehaviourConfig.parse(own.settings(), "of a manifest").settings() == own.settings()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"kind": "trait", "shipped": "doubt"}, "'doubt' is not known; there are verification, backtracking"),
        ({"shipped": "backtracking"}, "add 'kind: trait'"),
        ({"kind": "trait", "shipped": "backtracking@7"}, "the rules have version 1 now"),
        ({"kind": "trait", "shipped": "latex", "matches": "x"}, "found matches and shipped"),
    ],
)
def test_what_is_refused(settings, said):
    with pytest.raises(UserError, match=said):
        BehaviourConfig.parse(settings, "behaviours.mine")
    with pytest.raises(UserError, match="not known"):
        shipped_trait("nothing")


def test_figures_of_the_real_model_are_those_of_the_page():
    rows, page = read_later(), (DOCS / "traits.md").read_text(encoding="utf-8")
    assert len({row.text for row in rows}) == 60
    table = page.split("the rules do worse:")[1].split("The other four")[0]
    for name in SHIPPED_TRAITS:
        one = score(rows, name)
        if not (one.found or one.labelled):
            assert f"`{name}`" not in table
            continue
        line = next(line for line in table.splitlines() if line.startswith(f"| `{name}` | "))
        counts = [f"({one.both} of {total})" for total in (one.found, one.labelled) if total]
        assert all(count in line for count in counts)
        assert line.count("not estimable") == [one.found, one.labelled].count(0)


@pytest.mark.skipif(not DATA.is_dir(), reason="the labelled texts are not in this repository")
def test_figures_of_the_held_out_half_are_those_of_the_page():
    rows = read_labelled(DATA)
    held_out = [row for row in rows if row.held_out]
    assert (len(rows), len(held_out)) == (300, 150)
    page = (DOCS / "traits.md").read_text(encoding="utf-8")
    for name in SHIPPED_TRAITS:
        one = score(held_out, name)
        line = next(line for line in page.splitlines() if line.startswith(f"| `{name}` | "))
        counts = [f"({one.both} of {total})" for total in (one.found, one.labelled) if total]
        assert all(count in line for count in counts)
        assert line.count("not estimable") == [one.found, one.labelled].count(0)
