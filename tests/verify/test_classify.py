"""Formats by structure, on hand-made edges, on every world style, and on real rows."""

import gzip
import json
from collections import Counter

import pytest

from echochamber.core import formats
from echochamber.core.formats import FORMAT_NAMES, Format, classify, format_row, registered_formats
from echochamber.verify.answers import ANSWER_RULES


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("def simple_math_problem() -> int:\n    retu", "tinygsm"), ("def simple_math_prob", "tinygsm"),
        ("```python\ndef f():\n    return 1\n```", "tinygsm"),
        ("def simple\\_math\\_problem():", "tinygsm"), ("  def f(x):", "tinygsm"),
        ("async def f():", "tinygsm"),
        ("By default this is undefined.", "other"), ("We define f(x) = 2. \\boxed{2}", "omi2"),
        ("the def of f (x)", "other"), ("defend(x)", "other"),
        ("<llm-code>\ndef f():\n    return 1\nf()\n</llm-code>", "omi1"), ("Let's see\n<llm-code>", "omi1"),
        ("<llm-code-output>\n5", "other"),
        ("def f():\n    return 1\n<llm-code>", "tinygsm"), ("\\boxed{5}", "omi2"), ("\\boxed{", "omi2"),
        ("box{5}", "other"),
        ("x\n#### 5\nThe answer is: 5", "metamath"), ("Thus \\boxed{5}.\nThe answer is: 5", "metamath"),
        ("The answer is:\n\\[ \\boxed{5} \\]", "omi2"),
        ("The answer is: $\\boxed{5}$", "omi2"), ("2*3=<<2*3=6>>6\n#### 6", "gsm8k"),
        ("2*3=<<2*3=6>>6 and", "gsm8k"), ("#### 6", "gsm8k"), ("## Step 1", "other"),
        ("", "other"), ("\x00\ud800", "other"),
    ],
)  # fmt: skip
def test_edges(text, form):
    assert classify(text) == form


def test_shipped_rows_are_complete():
    rows = registered_formats()
    assert tuple(rows)[: len(FORMAT_NAMES)] == FORMAT_NAMES
    assert all(rows[name].answer_rule in ANSWER_RULES and rows[name].title for name in FORMAT_NAMES)


def test_shipped_rows_exclude_each_other():
    texts = [
        "def f():\n x",
        "<llm-code>",
        "\\boxed{1}",
        "The answer is: 1",
        "#### 1",
        "nothing",
        "\\boxed{1}\n#### 1\nThe answer is: 1",
    ]
    for text in texts:
        assert sum(format_row(name).matches(text) for name in FORMAT_NAMES if name != "other") <= 1


def test_a_users_row_is_asked_first(monkeypatch):
    monkeypatch.setattr(formats, "_REGISTRY", dict(formats._REGISTRY))
    formats.register_format(Format("tinygsm_marked", lambda text: "# @" in text, "function"))
    assert classify("def f():\n    return 1  # @") == "tinygsm_marked"
    assert classify("def f():\n    return 1") == "tinygsm"


def rows_of(path):
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as stream:
        return [json.loads(line) for line in stream]


def expected_omi1(row):
    return "omi1" if "<llm-code>" in row["generated_solution"] else "omi2"


@pytest.mark.parametrize(
    ("name", "text", "expected", "count"),
    [
        ("samples/openmathinstruct1.jsonl", lambda r: r["generated_solution"], expected_omi1, 100),
        ("samples/openmathinstruct2.jsonl", lambda r: r["generated_solution"], lambda r: "omi2", 100),
        ("samples/metamathqa.jsonl", lambda r: r["response"], lambda r: "metamath", 6),
        ("samples/tinygsm.jsonl", lambda r: r["code"], lambda r: "tinygsm", 3),
        ("gsm8k/test.jsonl", lambda r: r["answer"], lambda r: "gsm8k", 1319),
        ("gsm8k/train.jsonl.gz", lambda r: r["answer"], lambda r: "gsm8k", 7473),
        ("math/train.jsonl.gz", lambda r: r["solution"], lambda r: "omi2", 7500),
        ("tinygsm_like/programs_400.jsonl", lambda r: r["response"], lambda r: "tinygsm", 400),
    ],
)
def test_real_rows(shared_data, name, text, expected, count):
    rows = rows_of(shared_data / name)
    misses = Counter(classify(text(row)) for row in rows if classify(text(row)) != expected(row))
    assert len(rows) == count
    assert misses.total() <= max(1, 0.005 * count), misses


def test_real_rollouts(shared_data):
    """955 functions; five completions hold prose only, which the record marks by an empty program."""
    folder = shared_data / "tinygsm_rollouts"
    rows = rows_of(folder / "og_tinygsm_128.jsonl") + rows_of(folder / "no_reasoning_832.jsonl.gz")
    found = Counter(
        (classify(r["model_response"].split("\nmodel\n", 1)[-1]), bool(r["extracted_code"])) for r in rows
    )
    assert found == {("tinygsm", True): 955, ("other", False): 5}
