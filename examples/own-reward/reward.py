"""A reward that sees question and text: does the completion use every number of the question?"""

import re

from echochamber.rollout.rewards import register_reward


def uses_numbers(problem, completion, verdict):
    """Share of the question's numbers that stand in the completion."""
    asked = set(re.findall(r"\d+", problem.question))
    return len(asked & set(re.findall(r"\d+", completion.text))) / len(asked) if asked else None


register_reward("uses_numbers", uses_numbers)
