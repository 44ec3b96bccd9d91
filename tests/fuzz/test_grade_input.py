"""Files of completions to grade: graded, counted as bad lines, or refused in one line."""

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import strategies as st

from echochamber.core.types import OUTCOMES

from .command import Portion, call, check, fuzz, portions, whole_or_absent
from .values import damaged, texts, values

GRADED = set(OUTCOMES) - {"infrastructure"}
COMPLETIONS = (
    "def simple_math_problem():\n    return 18",
    "<llm-code>\nprint(18)\n</llm-code>\nThe answer is \\boxed{18}.",
    "So the total is $\\boxed{\\frac{36}{2}}$.",
    "3 * 6 = <<3*6=18>>18\n#### 18",
    "The answer is: 18",
    "\\boxed{nan}",
    "\\boxed{\\infty}",
    "def simple_math_problem():\n    return 10 ** 10 ** 10",
    "def f(:\n" + "(" * 300,
)
completions = st.one_of(
    st.sampled_from(COMPLETIONS),
    st.sampled_from(COMPLETIONS)
    .flatmap(lambda text: damaged(text.encode()))
    .map(lambda b: b.decode("utf-8", "replace")),
    texts,
)
references = st.one_of(st.sampled_from(["18", 18, 18.0, "#### 18", "\\frac{36}{2}", "nan", "1e999"]), texts)
rows = st.fixed_dictionaries(
    {},
    optional={
        "id": st.one_of(st.integers(), texts, values),
        "completion": st.one_of(completions, completions, completions, values),
        "reference": st.one_of(references, references, values),
        "extra": values,
    },
)


@st.composite
def lines(draw: st.DrawFn) -> bytes:
    """Whole rows, odd rows and damaged lines."""
    whole = {"id": 1, "completion": draw(completions), "reference": draw(references)}
    lines = [json.dumps(whole), *(json.dumps(row) for row in draw(st.lists(rows, max_size=3)))]
    content = "".join(f"{line}\n" for line in lines).encode()
    return draw(damaged(content)) if draw(st.integers(0, 2)) == 0 else content


@pytest.mark.parametrize("portion", portions("grade input", default=8))
def test_grade_input(portion: Portion, tmp_path: Path) -> None:
    target = tmp_path / "out" / "verdicts.jsonl"

    def one(content: bytes, packed: bool, broken: bytes | None, options: list[str]) -> None:
        source = tmp_path / ("in.jsonl.gz" if packed else "in.jsonl")
        content = gzip.compress(content, mtime=0) if packed else content
        source.write_bytes(content if broken is None else content[: len(content) // 2] + broken)
        ended = check(call("grade", "--in", source, "--out", target, *options))
        assert target.is_file() == (ended.status == 0), ended.err
        if ended.status == 0:
            for line in target.read_text(encoding="utf-8").splitlines():
                assert json.loads(line)["outcome"] in GRADED, line
        whole_or_absent(target)
        target.unlink(missing_ok=True)

    fuzz(
        portion,
        one,
        content=lines(),
        packed=st.booleans(),
        broken=st.one_of(st.none(), st.none(), st.none(), st.binary(max_size=9)),
        options=st.sampled_from([[], [], [], ["--strict"]]),
    )
