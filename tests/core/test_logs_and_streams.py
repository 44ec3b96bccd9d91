"""Step logs that survive a cut; random streams that depend on their keys alone."""

import json

import numpy as np
import pytest

from echochamber.core.errors import UserError
from echochamber.core.jsonl import read_jsonl, write_jsonl
from echochamber.core.metrics import MetricsLog, StepLog, read_metrics
from echochamber.core.numbers import display_number, format_number, parse_number
from echochamber.core.random import generator, key, uniforms


def test_a_log_goes_on_after_its_last_saved_step(tmp_path):
    path = tmp_path / "log.jsonl"
    with StepLog(path) as log:
        for step in range(5):
            log.write(step, {"x": step * 1.5})
    with path.open("a") as stream:
        stream.write('{"step": 5, "x"')
    with StepLog(path, resume_after=2) as log:
        log.write(3, {"x": 9})
    assert [(row["step"], row["x"]) for row in read_metrics(path)] == [(0, 0.0), (1, 1.5), (2, 3.0), (3, 9)]


def test_without_resume_a_log_starts_empty(tmp_path):
    for _ in range(2):
        with MetricsLog(tmp_path) as log:
            log.write(0, {"loss": float("nan")})
            log.write_timing(0, {"fit_s": 0.123456})
    assert (tmp_path / "metrics.jsonl").read_text() == '{"step": 0, "loss": null}\n'
    assert json.loads((tmp_path / "timing.jsonl").read_text()) == {"step": 0, "fit_s": 0.1235}


def test_line_separators_inside_text_do_not_split_a_row(tmp_path):
    with StepLog(tmp_path / "log.jsonl") as log:
        log.write(1, {"text": "a\u2028b\x85c"})
    with StepLog(tmp_path / "log.jsonl", resume_after=1):
        pass
    assert read_metrics(tmp_path / "log.jsonl") == [{"step": 1, "text": "a\u2028b\x85c"}]


def test_streams_depend_on_keys_alone():
    keys = np.array([key("s", i) for i in range(6)], dtype=np.uint64)
    whole = uniforms(keys, 0, 10)
    assert np.array_equal(uniforms(keys[3:4], 4, 2), whole[3:4, 4:6])
    assert key("a", 1) != key("a", "1")
    assert generator("x", 1).random() == generator("x", 1).random() != generator("x", 2).random()


def test_uniforms_are_uniform_and_uncorrelated():
    keys = np.array([key("u", i) for i in range(400)], dtype=np.uint64)
    draws = uniforms(keys, 0, 250)
    counts = np.histogram(draws, bins=20, range=(0, 1))[0]
    expected = draws.size / 20
    assert ((counts - expected) ** 2 / expected).sum() < 45  # chi-square, 19 degrees, p about 0.001
    assert abs(np.corrcoef(draws[:, 0], draws[:, 1])[0, 1]) < 0.2
    assert abs(np.corrcoef(draws[0], draws[1])[0, 1]) < 0.25
    assert 0 <= draws.min() < draws.max() < 1


@pytest.mark.parametrize(
    ("content", "words"), [('{"a": 1}\n{"a":', "line 2"), ("[1]\n", "list"), ('{"b": 1}\n', "'a' is missing")]
)
def test_bad_rows_are_named_by_line(tmp_path, content, words):
    path = tmp_path / "rows.jsonl"
    path.write_text(content)
    with pytest.raises(UserError, match=words):
        list(read_jsonl(path, ["a"]))


def test_rows_round_trip(tmp_path):
    rows = [{"a": 1, "b": "é\n"}, {"a": None}]
    write_jsonl(tmp_path / "rows.jsonl", rows)
    assert [row for _, row in read_jsonl(tmp_path / "rows.jsonl")] == rows


def test_exact_numbers():
    assert format_number(parse_number("36/2")) == "18"
    assert parse_number("-7/2") * 2 == -7
    assert [display_number(parse_number(t)) for t in ("7/2", "7/3", "-1/4", "18")] == [
        "3.5",
        "7/3",
        "-0.25",
        "18",
    ]
