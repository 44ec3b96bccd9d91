"""How much does a reader have to read? Counts the package's files and lines, and the files on three walks.

    python benchmarks/file_walks.py [--check]

A walk is a list of named functions or classes, `module:name`. Each must exist, and each must really be
referenced by the module of an earlier step: imported by name, or used as an attribute of an imported
module. A step that starts with `@` begins a new chain: such a function is not imported by the earlier
ones but found by name at run time (a registered row) or reads the files that they wrote.
What counts is the number of distinct files. `--check`: status 1 where a walk is longer than its goal.
"""

import argparse
import ast
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "echochamber"


@dataclass(frozen=True)
class Walk:
    """From one place of the code to another."""

    title: str
    goal: int
    """Most files."""
    steps: tuple[str, ...]


WALKS = (
    Walk(
        "GRPO, from recipe to gradient",
        13,
        (
            "@study.graph:build_graph",
            "study.recipe:Recipe",
            "rl.config:RLConfig",
            "study.training_stages:add_rl",
            "rl.loop:rl",
            "rl.learner:start_learner",
            "rl.algorithms:algorithm_row",
            "rl.sampling:step_sampler",
            "rollout.collect:collect",
            "rl.targets:estimate",
            "formulas.advantages:group_normalised",
            "rl.update:fit",
            "formulas.losses:clipped_surrogate",
        ),
    ),
    Walk(
        "a claim, from declaration to verdict",
        8,
        (
            "@papers.echo_chamber.collapse:CLAIMS",
            "claims.declare:Claim",
            "claims.select:arm",
            "core.study_tables:Tables",
            "@claims.judge:judge_all",
            "claims.claim_set:ClaimSet",
            "claims.estimate:estimate",
            "stats.intervals:t_interval",
        ),
    ),
    Walk(
        "an accuracy, from completion to page",
        13,
        (
            "@stages.evaluate:evaluate",
            "rollout.sample_and_grade:graded_rows",
            "verify.grade:Grader",
            "core.formats:classify",
            "verify.answers:answer_rule",
            "verify.compare:equal_number",
            "core.records:records_frame",
            "stats.counts:count_completions",
            "stats.summary:summarise_counts",
            "@analysis.report:build_report",
            "analysis.runs:find_runs",
            "analysis.page_words:first_screen",
            "analysis.headline:tiles",
        ),
    ),
)


def module_path(module: str) -> Path:
    """The file of a module, by its name inside the package."""
    path = PACKAGE.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def defined(tree: ast.Module) -> set[str]:
    """Names that a module defines at its top level."""
    names = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
    return names


def references(module: str, tree: ast.Module) -> set[str]:
    """`module:name` of all that a module imports from the package by name, or uses of an imported module.

    `Formula("losses", "token_ratio")` refers to a formula too (`formulas.by_name`).
    """
    found, modules = set(), {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            source = _absolute(module, node)
            if source is None:
                continue
            for name in node.names:
                inner = f"{source}.{name.name}".lstrip(".")
                if module_path(inner).is_file():
                    modules[name.asname or name.name] = inner
                else:
                    found.add(f"{source}:{name.name}")
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules:
            found.add(f"{modules[node.value.id]}:{node.attr}")
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "Formula":
            found.add("formulas." + ":".join(str(ast.literal_eval(part)) for part in node.args))
    return found


def _absolute(module: str, node: ast.ImportFrom) -> str | None:
    """The imported module's name inside the package; None for one of another package."""
    if node.level == 0:
        name = node.module or ""
        return name.removeprefix("echochamber.") if name.startswith("echochamber.") else None
    parts = module.split(".")
    if module_path(module).name == "__init__.py":
        parts.append("")
    kept = parts[: len(parts) - node.level]
    return ".".join([*kept, *([node.module] if node.module else [])])


def faults(walk: Walk) -> Iterator[str]:
    """What is wrong with a walk: functions that do not exist, steps that nothing before them refers to."""
    known: set[str] = set()
    for step in walk.steps:
        module, _, name = step.removeprefix("@").partition(":")
        path = module_path(module)
        if not path.is_file():
            yield f"{walk.title}: {module} is no module"
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        if name not in defined(tree):
            yield f"{walk.title}: {module} has no {name}"
        if not step.startswith("@") and f"{module}:{name}" not in known:
            yield f"{walk.title}: no earlier step refers to {module}:{name}"
        known |= references(module, tree)


def files(walk: Walk) -> list[Path]:
    """The distinct files of a walk, in the order of reading."""
    return list(dict.fromkeys(module_path(step.removeprefix("@").partition(":")[0]) for step in walk.steps))


def count_lines(paths: Sequence[Path]) -> int:
    """Lines of all these files together."""
    return sum(len(path.read_text(encoding="utf-8").splitlines()) for path in paths)


def main() -> None:
    """Print the counts."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="status 1 where a walk is longer than its goal")
    arguments = parser.parse_args()
    for root in (PACKAGE, PACKAGE.parent / "tests"):
        paths = sorted(root.rglob("*.py"))
        print(f"{root.name}: {len(paths)} Python files, {count_lines(paths):,} lines")
    wrong = [fault for walk in WALKS for fault in faults(walk)]
    for walk in WALKS:
        found = files(walk)
        print(f"{walk.title}: {len(found)} files (goal {walk.goal}), {count_lines(found):,} lines")
        for path in found:
            print(f"  {path.relative_to(PACKAGE.parent)}")
    for fault in wrong:
        print(fault, file=sys.stderr)
    too_long = arguments.check and any(len(files(walk)) > walk.goal for walk in WALKS)
    sys.exit(1 if wrong or too_long else 0)


if __name__ == "__main__":
    main()
