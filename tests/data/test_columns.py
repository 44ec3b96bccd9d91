"""Problem files of any layout: names of columns from a recipe or a command."""

import json

import pytest

from echochamber.cli.options import column_names
from echochamber.core.artifacts import Store
from echochamber.core.errors import UserError
from echochamber.data.columns import problem_columns
from echochamber.data.problem_sets import load_problems
from echochamber.study.graph import build_graph
from echochamber.study.recipe import load_recipe

ROWS = [{"prompt_text": "How many pens are 3 boxes of 6?", "gold": 18}]


def written(tmp_path, rows, name="own.jsonl"):
    path = tmp_path / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def test_own_columns_are_read_and_usual_ones_where_they_lack(tmp_path):
    columns = problem_columns(column_names("question=prompt_text, answer=gold,id=number"))
    (problem,) = load_problems(written(tmp_path, [ROWS[0] | {"number": "a"}]), columns=columns)
    assert (problem.id, problem.question, problem.reference) == ("a", ROWS[0]["prompt_text"], "18")
    usual = [{"question": "2 + 2?", "answer": "#### 4"}]
    assert load_problems(written(tmp_path, usual), columns=columns)[0].reference == "4"
    both = [ROWS[0] | {"question": "another", "answer": "5", "Body": "x", "Question": "y"}]
    (problem,) = load_problems(written(tmp_path, both), columns=columns)
    assert (problem.question, problem.reference) == (ROWS[0]["prompt_text"], "18")
    solved = [{"ask": "2 + 2?", "worked": "It is \\boxed{4}."}]
    columns = problem_columns({"question": "ask", "solution": "worked"})
    assert load_problems(written(tmp_path, solved), columns=columns)[0].reference == "4"


def test_the_error_prints_the_mapping_to_paste(tmp_path):
    with pytest.raises(UserError, match="line 1: column 'question' or .* is missing") as caught:
        load_problems(written(tmp_path, ROWS))
    assert "columns found: prompt_text, gold" in str(caught.value)
    assert "columns: {question: 'prompt_text', answer: 'gold'}" in str(caught.value)
    pasted = str(caught.value).split("--columns '")[1].split("'")[0]
    columns = problem_columns(column_names(pasted))
    assert load_problems(written(tmp_path, ROWS), columns=columns)[0].reference == "18"
    with pytest.raises(UserError, match="'answer' or 'reference' or 'solution' is missing.*answer: 'gold'"):
        load_problems(written(tmp_path, [{"question": "2 + 2?", "gold": 4}]))
    with pytest.raises(UserError, match="question and answer need a column each"):
        load_problems(written(tmp_path, [{"x": 1}]))


@pytest.mark.parametrize("text", ["", "question", "question=", "=x", "question=a,"])
def test_other_forms_are_refused(text):
    with pytest.raises(UserError, match="expected question=COLUMN"):
        column_names(text)


def test_unknown_keys_are_refused():
    with pytest.raises(UserError, match="columns: .*asnwer"):
        problem_columns({"asnwer": "x"})


def test_columns_are_part_of_a_sets_identity_only_where_they_are_given(tmp_path):
    path = written(tmp_path, ROWS)
    found = []
    for overrides in ([], ["columns={question: prompt_text, answer: gold}"]):
        recipe = load_recipe("smoke", [f"evaluate.sets=[{path}]", *overrides])
        nodes = build_graph(recipe, Store(tmp_path / "artifacts")).nodes
        (node,) = [node for name, node in nodes.items() if name.startswith("problems/") and "own" in name]
        found.append(node.spec.config)
    assert "columns" not in found[0]
    assert found[1]["columns"] == {"question": "prompt_text", "answer": "gold"}
