"""The paper's own labelling and reward rules, so that a study can print what they would have changed.

Re-derived from a description of the released scorer, with its quirks kept on purpose:

- label: `llm-code` where the text holds `<llm-code>`, else `tinygsm-code` where it holds the letters
  `def` anywhere, else `text`; an `<llm-code>` answer that failed and holds `def` is relabelled;
- program: of a function only what follows the last newline + `def`; of blocks only the first, whose
  value is its last *line*;
- a crashed program can be rewarded: the answer is then read from the raw text, the label stays;
- the answer of text is its last box, else its last number.

Not kept: running text with `exec` in this process. Programs go through our sandbox, so a program
that only full Python could run counts as crashed here unless the second tier is on.
"""

import re
from dataclasses import dataclass

from .answers import last_box
from .compare import equal_float, equal_text
from .program_runner import ProgramRunner
from .programs import Program, last_expression, refusal
from .sandbox.result import RunResult, SandboxLimits

LABELS = ("llm-code", "tinygsm-code", "text")
_NUMBER = re.compile(r"-?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:/\d+)?")


@dataclass(frozen=True, slots=True)
class LegacyVerdict:
    """What the released scorer would have said."""

    label: str
    correct: bool
    answer: str | None


def legacy_label(text: str) -> str:
    """The released rule: one substring decides."""
    if "<llm-code>" in text:
        return "llm-code"
    return "tinygsm-code" if "def" in text else "text"


def legacy_program(text: str) -> Program | None:
    """The program that the released scorer would have run."""
    label = legacy_label(text)
    if label == "llm-code":
        block, closed, _ = text.partition("<llm-code>")[2].partition("</llm-code>")
        code = block.strip() if closed else ""
        if not code or refusal(code) or last_expression(code.rsplit("\n", 1)[-1]) is None:
            return None
        return Program((code,))
    if label == "tinygsm-code" and "\ndef" in "\n" + text:
        code = "def" + ("\n" + text).rsplit("\ndef", 1)[1]
        return Program((code,), "simple_math_problem") if not refusal(code) else None
    return None


def last_number(text: str) -> str | None:
    """Last box, else last number anywhere in the text."""
    boxed = last_box(text)
    if boxed:
        return boxed
    found = _NUMBER.findall(text)
    return found[-1] if found else None


class LegacyGrader:
    """Labels and rewards by the released rules; owns its sandbox workers.

    Programs that `beside` has just run for the same completions are not run again.
    """

    def __init__(
        self,
        limits: SandboxLimits | None = None,
        workers: int = 1,
        tier2: bool = False,
        beside: ProgramRunner | None = None,
    ) -> None:
        self._runner = ProgramRunner(limits or SandboxLimits(seconds=3.0), workers, tier2)
        self._beside = beside

    def __enter__(self) -> "LegacyGrader":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the workers."""
        self._runner.close()

    def grade_batch(self, items: list[tuple[str, str]]) -> list[LegacyVerdict]:
        """Verdicts for (reference, scored text) pairs.

        The released reward scored prompt + response, the released evaluation the response alone: hand
        over whichever is asked about.
        """
        programs = [legacy_program(text) for _, text in items]
        known = self._beside.recent if self._beside else {}
        results = known | self._runner.run_all([p for p in dict.fromkeys(programs) if p and p not in known])
        return [
            _judge(reference, text, results[program] if program else None)
            for (reference, text), program in zip(items, programs, strict=True)
        ]


def _judge(reference: str, text: str, result: RunResult | None) -> LegacyVerdict:
    label = legacy_label(text)
    if result is not None and result.status == "value" and label != "text":
        right = (
            equal_float(result.text, reference)
            if result.kind == "float"
            else equal_text(result.text, reference)
        )
        return LegacyVerdict(label, bool(right), result.text)
    if label == "llm-code" and "def" in text:
        label = "tinygsm-code"
    answer = last_number(text)
    return LegacyVerdict(label, answer is not None and bool(equal_text(answer, reference)), answer)
