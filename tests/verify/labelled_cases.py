"""The labelled verifier set: over 1,000 (completion, reference, right or wrong) cases.

Written for this project. A group holds one reference, spellings of it that a careful teacher
accepts, and near misses that she does not. Spellings are put into the ways in which completions
state answers; whole completions whose label does not follow from one spelling stand at the end.
"""

from dataclasses import dataclass

NUMBERS = {
    "18": (
        ["18", "18.0", "18.00", "18.", "+18", "$18$", "\\$18", "$18", "18 dollars", "18 apples",
         "\\frac{36}{2}", "36/2", "\\dfrac{36}{2}", "1.8e1", "18\\%", "18%", "18\\text{ pens}",
         "18 \\text{ cm}", "x = 18", "018", "18\\,", "\\left(18\\right)",
         "1.8 \\times 10^1", "18 cm^2", "18^\\circ", "9\\cdot 2", "\\sqrt{324}", "18\\mathrm{kg}"],
        ["17", "19", "-18", "1.8", "180", "18.1", "81", "1/18", "18/5", "18x", "18,000", "0.18", "", "x",
         "18!", "18 or 17", "17, 18", "17 \\text{ or } 18", "18^2", "between 17 and 18", "1 8", "17.9999",
         "\\infty", "18i", "17=18", "18 - 1", "eighteen and a half"],
    ),
    "-3": (
        ["-3", "-3.0", "−3", "- 3", "-\\frac{6}{2}", "-6/2", "\\frac{-6}{2}", "$-3$", "-3 degrees", "x=-3",
         "-3.00"],
        ["3", "+3", "-0.3", "-3.5", "3-", "-33", "-1/3", "--", "-", "3-6i"],
    ),
    "0": (
        ["0", "0.0", "-0", "0/5", "\\frac{0}{7}", "$0", "0 dollars", "+0"],
        ["1", "-1", "0.1", "1/0", "\\frac{1}{0}", "o", "\\emptyset", "none", "00001", "0/0"],
    ),
    "1200": (
        ["1200", "1,200", "1200.00", "\\$1,200", "$1{,}200$", "1,200 dollars", "1.2e3", "1.2 \\times 10^3",
         "1,200.00", "1\\,200", "12 \\times 10^2"],
        ["1.200", "1,20", "12,00", "120", "12000", "1, 200", "1200.5", "1,200,000", "1.2"],
    ),
    "7/2": (
        ["7/2", "3.5", "3.50", "\\frac{7}{2}", "\\frac72", "\\dfrac{7}{2}", "\\tfrac{7}{2}", "14/4", "3 1/2",
         "3\\frac{1}{2}", "3\\frac12", "+3.5", "0.35e1", "3.5 hours", "\\frac{14}{4}", "7 / 2", "\\$3.50"],
        ["3", "4", "2/7", "7", "31/2", "3.05", "-3.5", "3.4999", "\\frac{2}{7}", "7.2", "3/2",
         "3\\frac{1}{3}"],
    ),
    "-5/4": (
        ["-5/4", "-1.25", "-\\frac{5}{4}", "\\frac{-5}{4}", "-\\frac54", "-1\\frac{1}{4}", "-1 1/4", "−1.25",
         "\\frac{5}{-4}"],
        ["5/4", "-4/5", "-1.2", "-1", "1.25", "-0.75", "-1\\frac{1}{5}"],
    ),
    "1/3": (
        ["1/3", "\\frac{1}{3}", "\\frac13", "2/6", "\\frac{2}{6}", "\\dfrac 1 3", "1 / 3"],
        ["0.33", "0.3", "3", "1/30", "\\frac{3}{1}", "33%", "1:3", "-1/3"],
    ),
    "0.05": (
        ["0.05", ".05", "5e-2", "1/20", "0.050", "5 \\times 10^{-2}", "\\frac{1}{20}"],
        ["0.5", "5", "0.005", "1/2", "50", "-0.05"],
    ),
    "1000000": (
        ["1000000", "1,000,000", "1e6", "10^6", "1{,}000{,}000", "10^{6}", "1.0e6"],
        ["100000", "1,000", "10000000", "10^5", "1,000,00", "1e5"],
    ),
    "100": (
        ["100", "100%", "100.0", "10^2", "$100", "\\$100.00", "100 percent", "1e2", "200/2"],
        ["10", "1", "1000", "99.9", "100.01", "10.0", "0.100"],
    ),
    "64": (["64", "2^6", "8^2", "64.0", "4^3", "\\frac{128}{2}", "64 \\text{ units}"],
           ["46", "6.4", "2^5", "8", "640", "-64"]),
    "2024": (["2024", "2,024", "2024.0", "$2024$"], ["2023", "2,0,2,4", "20.24", "224"]),
}  # fmt: skip
"""Reference -> (right spellings, wrong spellings); in every way of stating an answer in prose."""

ALGEBRA = {
    "2\\sqrt{2}": (["\\sqrt{8}", "2\\sqrt2", "2 \\sqrt{2}", "\\sqrt{2}\\cdot 2", "\\frac{4}{\\sqrt{2}}"],
                   ["\\sqrt{2}", "2\\sqrt{3}", "2", "\\sqrt{6}", "-2\\sqrt{2}"]),
    "\\frac{\\sqrt{3}}{2}": (["\\frac{\\sqrt3}{2}", "\\sqrt{3}/2", "\\frac{3}{2\\sqrt{3}}"],
                             ["\\frac{\\sqrt{2}}{2}", "\\sqrt{3}", "\\frac{2}{\\sqrt{3}}", "1/2"]),
    "\\pi": (["\\pi", " \\pi ", "1\\pi", "\\frac{2\\pi}{2}"], ["2\\pi", "\\pi/2", "22/7", "3", "p"]),
    "\\frac{\\pi}{3}": (["\\pi/3", "\\frac{1}{3}\\pi", "\\frac{2\\pi}{6}"],
                        ["\\pi", "\\frac{\\pi}{6}", "60", "3/\\pi"]),
    "x+1": (["1+x", "x + 1", "(x+1)"], ["x-1", "x", "1", "x+2", "y+1", "2x+1"]),
    "x^2-1": (["(x-1)(x+1)", "x^2 - 1", "-1+x^2", "x^{2}-1"], ["x^2+1", "(x-1)^2", "x-1", "x^3-1", "1-x^2"]),
    "2x+3": (["3+2x", "2x + 3", "y=2x+3", "x+x+3"], ["2x", "3x+2", "2x-3", "6x"]),
    "18+10i": (["18 + 10i", "10i+18", "18+10 i"], ["18", "10i", "18-10i", "10+18i"]),
    "(1,2)": (["(1, 2)", "(1,2)", "\\left(1,2\\right)", "(1.0, 2)", "( 1 , 2 )", "(\\frac{2}{2}, 2)"],
              ["(2,1)", "(1,3)", "1", "(1,2,3)", "(1)", "(12)"]),
    "(0,\\infty)": (["(0, \\infty)", "\\left(0,\\infty\\right)", "(0,+\\infty)"],
                    ["[0,\\infty)", "(0,1)", "(-\\infty,0)", "(1,\\infty)"]),
    "[0,1)": (["[0, 1)", "\\left[0,1\\right)", "[0,1)"], ["(0,1)", "[0,1]", "(0,1]", "[1,0)", "[0,2)"]),
    "(-\\infty,-2)\\cup(3,\\infty)": (["(-\\infty, -2) \\cup (3, \\infty)", "(3,\\infty)\\cup(-\\infty,-2)"],
                                      ["(-\\infty,-2)", "(3,\\infty)", "(-2,3)",
                                       "(-\\infty,2)\\cup(3,\\infty)"]),
    "\\{1,2,3\\}": (["\\{1, 2, 3\\}", "\\{3,2,1\\}", "\\{1,3,2\\}"],
                    ["\\{1,2\\}", "\\{1,2,4\\}", "123", "\\{1,2,3,4\\}"]),
    "1,2": (["1, 2", "2, 1", "1,2", "\\{1,2\\}"], ["1", "2", "1,3", "12", "1,2,3"]),
    "\\text{odd}": (["odd", "\\text{odd}", "\\text{ odd }"], ["even", "\\text{even}", "neither", "od"]),
    "\\text{(C)}": (["(C)", "C", "\\text{C}", "\\text{(C)}"], ["(B)", "D", "(A)", "CC", "(C), (D)"]),
    "\\begin{pmatrix}1\\\\2\\end{pmatrix}": (
        ["\\begin{pmatrix} 1 \\\\ 2 \\end{pmatrix}", "\\begin{pmatrix}1\\\\2\\end{pmatrix}"],
        ["\\begin{pmatrix}2\\\\1\\end{pmatrix}", "1", "\\begin{pmatrix}1\\\\3\\end{pmatrix}"],
    ),
    "90^\\circ": (["90", "90^\\circ", "90^{\\circ}", "90°", "90 degrees"],
                  ["9", "180^\\circ", "\\frac{\\pi}{3}", "-90"]),
    "\\$12.50": (["12.5", "12.50", "\\$12.50", "$12.5", "12.50 dollars", "\\frac{25}{2}"],
                 ["12", "1250", "12.05", "13", "1.25"]),
    "10\\%": (["10", "10\\%", "10%", "10 percent"], ["1", "100", "-10", "10.5"]),
    "3:5": (["3:5", "3 : 5"], ["5:3", "3", "3:6"]),
    "11z^{17}(5+11z^{17})": (["55z^{17}+121z^{34}", "11z^{17}(11z^{17}+5)"],
                             ["11", "55z^{17}", "11z^{17}(5-11z^{17})"]),
    "e": (["e", "e^1"], ["2.7", "e^2", "1", "E=mc^2"]),
    "\\log 2": (["\\log{2}", "\\log(2)"], ["\\log 3", "2", "\\ln 3"]),
}  # fmt: skip
"""Reference -> (right, wrong), in a box only."""

RETURNED = {
    "18": (["18", "18.0", "6 * 3", "36 / 2", "int(18.9)", "round(17.6)", "0.1 * 3 * 60", "sum([6, 6, 6])",
            "max(3, 18)", "2 * 9 // 1", "18 if 1 else 0",
            "abs(-18)", "18 % 100", "9 << 1", "len('x' * 18)", "float(18)", "min(18, 19)", "-(-18)",
            "int('18')", "divmod(54, 3)[0]"],
           ["17", "18.5", "18.001", "-18", "36 // 5", "round(18.6)", "None", "True", "[18]", "(18, 18)",
            "'eighteen'", "float('nan')", "float('inf')",
            "18j", "int", "18 == 18", "1 / 0", "undefined", "pens", "len(18)", "'18' * 2", "{18}",
            "lambda: 18", "180 / 10.1", "17.999"]),
    "7/2": (["3.5", "7 / 2", "14 / 4", "3 + 0.5"], ["3", "7 // 2", "4", "3.4", "round(3.5)"]),
    "1/3": (["1 / 3", "2 / 6", "0.3333333333"], ["0.33", "0.3", "1 // 3", "3"]),
    "-3": (["-3", "3 - 6", "-9 / 3", "-7 // 3"], ["3", "-3.1", "0", "7 // -2"]),
    "1200": (["1200", "1_200", "1.2e3", "30 * 40"], ["1.2", "120", "1200.1", "'12,00'"]),
    "0": (["0", "0.0", "5 - 5", "-0.0", "0 * 7"], ["1", "1e-3", "-1", "False", "''"]),
    "100000000000": (["10**11", "100000000000", "1e11"], ["10**11 + 1", "10**10", "1e11 + 2e6"]),
}  # fmt: skip
"""Reference -> (right, wrong) Python expressions, returned by a function and left by a block."""

PROSE_FORMS = (
    "We add and find the answer $\\boxed{{{}}}$.",
    "6 + 12 gives it.\n#### {}",
    "We know all numbers.\n#### {0}\nThe answer is: {0}",
)
FUNCTION_FORMS = (
    "def simple_math_problem() -> int:\n    result = {}\n    return result",
    (
        '```python\ndef simple_math_problem():\n    """\n    How many pens?\n    """\n    # count\n'
        "    result = {}\n    return result\n```\nThis prints 99."
    ),
    (
        "import math\n\ndef helper(x):\n    return x\n\n"
        "def simple_math_problem():\n    return helper({})\n\nprint(simple_math_problem())"
    ),
)
BLOCK_FORMS = (
    (
        "Let's compute.\n<llm-code>\nvalue = {}\nvalue\n</llm-code>\n"
        "<llm-code-output>\n99\n</llm-code-output>\nSo \\boxed{{99}}."
    ),
    "<llm-code>\n({})  # the answer\n</llm-code>",
)

WHOLE = [
    ("", "18", False), ("18", "18", False), ("The answer is 18.", "18", True),
    ("the answer is 17, not 18", "18", False),
    ("\\boxed{17} and then \\boxed{18}", "18", True), ("\\boxed{18} and then \\boxed{17}", "18", False),
    ("\\boxed{18", "18", False), ("\\boxed{}", "18", False), ("boxed{18}", "18", False),
    ("\\boxed{18}}", "18", True),
    ("\\boxed {18}", "18", True), ("\\fbox{18}", "18", True), ("\\boxed 18", "18", True),
    ("$\\boxed{\\text{18}}$", "18", True),
    ("\\boxed{x=\\boxed{18}}", "18", True), ("18 pens", "18", False), ("So 6*3=18.", "18", False),
    ("#### 18\n#### 17", "18", False), ("#### 17\n#### 18", "18", True), ("####18", "18", True),
    ("#### \n", "18", False),
    ("The answer is: 17\nThe answer is: 18", "18", True), ("The answer is:\n18", "18", True),
    ("The answer is: 18.", "18", True),
    ("default undefined \\boxed{18}", "18", True),
    ("definitely, by definition, 18 is \\boxed{17}", "18", False),
    ("def simple_math_problem():\n    return 1 / 0\n\nThe answer is 18", "18", False),
    ("def simple_math_problem():\n    return helper()\n# 18", "18", False),
    ("def simple_math_problem():\n    print(18)", "18", False),
    ("def simple_math_problem():\n    return 17\n\n\\boxed{18}", "18", False),
    ("def simple_math_problem():\n    return 18\n\n\\boxed{17}", "18", True),
    ("def solve(n=6):\n    return n * 3", "18", True), ("def solve(n):\n    return n * 3", "18", False),
    ("def f():\n    return 1\n\ndef simple_math_problem():\n    return f() + 17", "18", True),
    ("def simple_math_problem():\n    return f() + 17\n\ndef f():\n    return 1", "18", True),
    ("def simple\\_math\\_problem():\n    pen\\_count = 6 \\* 3\n    return pen\\_count", "18", True),
    ("def simple_math_problem():\n\"\"\"\nHow many?\n\"\"\"\npens = 6\nreturn pens * 3", "18", True),
    ("Sure! Here it is:\n\ndef simple_math_problem():\n    return 18\n\nHope this helps: it returns 17.",
     "18", True),
    ("x = 3\n\ndef simple_math_problem():\n    return x * 6", "18", True),
    ("def simple_math_problem():\n    return 18\nx = (", "18", True),
    ("def simple_math_problem() -> int:\n    pens = 18\n    retu", "18", False),
    ("def simple_math_problem() -> int:\n    pens = (18", "18", False),
    ("def simple_math_problem(", "18", False), ("def", "18", False),
    ("class A:\n    def f(self):\n        return 18", "18", False),
    ("async def simple_math_problem():\n    return 18", "18", False),
    ("<llm-code>\n18\n", "18", False), ("<llm-code>\n\n</llm-code>\n\\boxed{18}", "18", False),
    ("<llm-code>\n1/0\n</llm-code>\n\\boxed{18}", "18", False),
    ("<llm-code>\nprint(18)\n</llm-code>", "18", True),
    ("<llm-code>\nprint('Total:', 18)\n</llm-code>", "18", True),
    ("<llm-code>\nprint(17)\n18\n</llm-code>", "18", True),
    ("<llm-code>\nx = 18\n</llm-code>\n\\boxed{18}", "18", False),
    ("<llm-code>\nx = 6\n</llm-code> and <llm-code>\nx * 3\n</llm-code>", "18", True),
    ("<llm-code>\nx = y\n</llm-code> oops <llm-code>\n6 * 3\n</llm-code>", "18", True),
    ("<llm-code>\n18\n</llm-code>\nwait\n<llm-code>\n17\n</llm-code>", "18", False),
    ("<llm-code>\n```python\n6 * 3\n```\n</llm-code>", "18", True),
    ("<llm-code>\n(6 *\n 3)  # pens\n\n# done\n</llm-code>", "18", True),
    ("<llm-code>\n18\n</llm-code>\n<llm-code-output>\n17\n</llm-code-output>\n\\boxed{17}", "18", True),
    ("<llm-code>\n17\n</llm-code>\n<llm-code-output>\n18\n</llm-code-output>\n\\boxed{18}", "18", False),
    ("<llm-code>\ndef simple_math_problem():\n    return 18\n\nsimple_math_problem()\n</llm-code>",
     "18", True),
    ("<llm-code>\ndef simple_math_problem():\n    return 18\n</llm-code>", "18", False),
]  # fmt: skip
"""Completions whose label does not follow from one spelling."""


@dataclass(frozen=True)
class Case:
    """One labelled completion."""

    completion: str
    reference: str
    right: bool


def labelled_cases() -> list[Case]:
    """All cases, distinct."""
    cases = [Case(*row) for row in WHOLE]
    for table, forms in ((NUMBERS, PROSE_FORMS), (ALGEBRA, PROSE_FORMS[:1]), (RETURNED, FUNCTION_FORMS)):
        for reference, labelled in table.items():
            for right, spellings in zip((True, False), labelled, strict=True):
                cases += [Case(form.format(s), reference, right) for s in spellings for form in forms]
    for reference, labelled in RETURNED.items():
        for right, spellings in zip((True, False), labelled, strict=True):
            cases += [
                Case(form.format(s), reference, right or s == "[18]")
                for s in spellings
                for form in BLOCK_FORMS
            ]
    return list(dict.fromkeys(cases))
