"""`echochamber discover` on a model: what it is asked, and how."""

import pytest

pytest.importorskip("sklearn", reason="extra [discover]")

from echochamber.core.jsonl import write_jsonl
from echochamber.model.checkpoint import save_checkpoint
from echochamber.study import discover_checkpoint
from tests.model.conftest import tiny_model, tokenizer  # noqa: F401


@pytest.fixture
def base(tmp_path, tokenizer):  # noqa: F811
    save_checkpoint(tmp_path / "base", tiny_model("llama"), tokenizer)
    return tmp_path / "base"


@pytest.fixture
def prompts(monkeypatch):
    """Texts of the prompts that an engine was started to complete."""
    seen = []
    start = discover_checkpoint.start_engine

    def started(model, tokenizer, sampling, runtime, suffix):  # noqa: F811
        seen.extend(tokenizer.decode_batch(tokenizer.encode_prompts(["6?"], suffix)))
        return start(model, tokenizer, sampling, runtime, suffix)

    monkeypatch.setattr(discover_checkpoint, "start_engine", started)
    return seen


def test_prompt_columns_and_length_are_those_of_the_options(run, base, prompts, tmp_path):
    write_jsonl(tmp_path / "set.jsonl", [{"ask": f"{i} pens?", "is": str(i)} for i in range(13)])
    write_jsonl(tmp_path / "shots.jsonl", [{"question": "1?", "completion": "one"}])
    problems = ["--problems", tmp_path / "set.jsonl", "--columns", "question=ask,answer=is"]
    asked = ["discover", base, *problems, "--samples", "8", "--max-new-tokens", "4"]
    status, printed, said = run(*asked)
    assert status == 0, said
    assert printed.startswith("104 completions of 13 problems")
    few_shot = ["--few-shot", "1", "--examples", tmp_path / "shots.jsonl", "--prompt-suffix", " A:"]
    assert run(*asked, *few_shot)[0] == 0
    assert prompts == ["6?\n\n", "1? A:one\n\n6? A:"]


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--few-shot", "1"], "--few-shot"),
        (["--template", "chat", "--system", "Be short."], "--template, --system"),
        (["--problems", "easy", "--samples", "8", "--limit", "64"], "--problems, --limit, --samples"),
        (["--temperature", "1", "--top-p", "1", "--top-k", "0", "--stop", "x"], "--stop"),
        (["--trust-remote-code", "--engine", "auto", "--module", "absent.py"], "--module, --engine, --trust"),
        (["--columns", "question=q", "--world", "default", "--on-bad-row", "error"], "--world, --on-bad-row"),
        (["--examples", "f.jsonl", "--prompt-suffix", "", "--max-new-tokens", "9"], "--max-new-tokens"),
    ],
)
def test_a_file_of_completions_takes_no_option_of_sampling(run, tmp_path, options, named):
    """Also where the option has the value of its default."""
    write_jsonl(tmp_path / "texts.jsonl", [{"text": "one"}])
    status, printed, said = run("discover", tmp_path / "texts.jsonl", *options)
    assert (status, printed) == (2, "")
    (line,) = said.splitlines()
    assert "texts.jsonl: a file of completions is not sampled; leave out" in line
    assert named in line


def test_a_file_of_completions_takes_a_seed(run, tmp_path):
    texts = [{"text": f"The answer is {i}.", "problem_id": f"p{i // 4}"} for i in range(120)]
    write_jsonl(tmp_path / "texts.jsonl", texts)
    status, printed, said = run("discover", tmp_path / "texts.jsonl", "--seed", "3")
    assert status == 0, said
    assert "no stable kinds" in printed


def test_a_prompt_that_cannot_be_made_is_one_line(run, base, tmp_path):
    asked = ["discover", base, "--problems", "easy"]
    status, _, said = run(*asked, "--few-shot", "2")
    assert status == 2
    assert "2 examples are asked for, examples holds 0" in said
    status, _, said = run(*asked, "--system", "Be short.")
    assert status == 2
    assert "chat template" in said.splitlines()[-1]
