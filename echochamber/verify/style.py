"""Style features inside a format: RL shifts habits even where it keeps the format.

Every feature is a short word per completion, so that its share can be plotted over training. A
feature that a format does not have is absent from the mapping.
"""

import re

_HEADER = re.compile(r"^[ \t]*(?:async[ \t]+)?def[ \t]+[\w\\]+[ \t]*\([^)\n]*\)[ \t]*(->)?", re.MULTILINE)
_DOCSTRING = re.compile(r"[^:\n]*:[ \t]*\n\s*(\"\"\"|'''|[\"'])(.*?)(\1|\Z)", re.DOTALL)
_COMMENT = re.compile(r"(?:^|\s)#(?!#)", re.MULTILINE)
_ASSIGNMENT = re.compile(r"^[ \t]*([A-Za-z_]\w*)[ \t]*=(?!=)[ \t]*([^\n#]+)", re.MULTILINE)
_LITERAL = re.compile(r"[-+(]?[\d.,_]+\)?\s*$")
_OPERATOR = re.compile(r"[-+*/%(]")
_LATEX = re.compile(r"\\[(\[]|\\(?:times|frac|cdot|div)|\$[^$\n]*=[^$\n]*\$")
_EQUATION = re.compile(r"\d\}?\$?\s*=\s*\$?\s*(?:-?\\?[\d$])")
_MARK = re.compile(r"<<[^<>\n]*>>")
_SPACED = re.compile(r"[\w)] (?:[-+*/]|\\(?:times|div|cdot)) [\w(]")
_TIGHT = re.compile(r"\d[-+*/]\d")
_BLOCK = re.compile(r"<llm-code>(.*?)(?:</llm-code>|<llm-code-output>|\Z)", re.DOTALL)
_INITIALS = re.compile(r"[A-Za-z]{1,2}\d*|[b-df-hj-np-tv-z]{3,4}\d*")
_RESTATED = re.compile(r"\?\s*(?:\n|$)|(?:question is|asked|asks us|want to (?:know|find))", re.IGNORECASE)


def style_features(format_name: str, text: str) -> dict[str, str]:
    """Feature -> value for a completion of a shipped format; empty for others."""
    if format_name == "tinygsm":
        return _function_style(text)
    if format_name == "omi1":
        return _block_style(text)
    return _prose_style(format_name, text) if format_name in ("omi2", "metamath", "gsm8k") else {}


def _function_style(text: str) -> dict[str, str]:
    header = _HEADER.search(text)
    if header is None:
        return {"complete": "no"}
    docstring = _DOCSTRING.match(text, header.end())
    body = text[docstring.end() if docstring else header.end() :]
    return {
        "type_hint": "yes" if header[1] else "no",
        "docstring": _docstring_kind(docstring),
        "quotes": "none" if docstring is None else "double" if docstring[1][0] == '"' else "single",
        "fence": "yes" if "```" in text else "no",
        "complete": "yes" if re.search(r"^[ \t]+return\b", body, re.MULTILINE) else "no",
    } | _code_style(body)


def _docstring_kind(docstring: re.Match[str] | None) -> str:
    """`question` where it restates more than one sentence, `short` for one sentence, `none`."""
    if docstring is None:
        return "none"
    sentences = re.findall(r"[.?!](?:\s|$)", docstring[2].strip())
    return "question" if len(sentences) > 1 else "short"


def _block_style(text: str) -> dict[str, str]:
    blocks = _BLOCK.findall(text)
    lead = text.split("<llm-code>", 1)[0].strip()
    return {
        "lead_in": "yes" if lead else "no",
        "blocks": str(min(len(blocks), 9)),
        "output": "yes" if "<llm-code-output>" in text else "no",
        "box": "yes" if "\\boxed" in text else "no",
    } | _code_style("\n".join(blocks))


def _code_style(code: str) -> dict[str, str]:
    pairs = _ASSIGNMENT.findall(code)
    steps = sum(
        1 for name, value in pairs if _OPERATOR.search(value.lstrip("-+")) and not _LITERAL.fullmatch(value)
    )
    givens = sum(1 for _, value in pairs if _LITERAL.fullmatch(value))
    return {
        "comments": "yes" if _COMMENT.search(code) else "no",
        "names": _name_style([name for name, _ in pairs if name != "result"]),
        "steps": str(min(steps, 20)),
        "givens": "named" if givens else "inline",
    }


def _name_style(names: list[str]) -> str:
    """`descriptive` words, one-`letter` names in alphabetical order, or `initials`."""
    if not names:
        return "none"
    short = [name for name in names if _INITIALS.fullmatch(name)]
    if len(short) * 2 <= len(names):
        return "descriptive"
    letters = [name for name in names if len(name) == 1]
    if len(letters) == len(names) and letters == sorted(letters) and letters[0] == "a":
        return "generic"
    return "initials"


def _prose_style(format_name: str, text: str) -> dict[str, str]:
    body = re.split(r"\n####|\nThe answer is:", text)[0]
    first = body.split("\n", 1)[0]
    return {
        "latex": "yes" if _LATEX.search(body.replace("$\\boxed", "")) else "no",
        "spaced": "yes" if _SPACED.search(body) else "no" if _TIGHT.search(body) else "none",
        "marks": "yes" if "<<" in text else "no",
        "lead_in": "yes"
        if first and not any(char.isdigit() for char in first) and not _RESTATED.search(first)
        else "no",
        "restated": "yes" if _RESTATED.search(body) else "no",
        "steps": str(min(len(_EQUATION.findall(_MARK.sub("", body))), 20)),
    }
