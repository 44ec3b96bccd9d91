"""Names say one thing each."""

import ast
from collections import defaultdict
from pathlib import Path

import echochamber


def test_no_class_name_has_two_meanings() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for path in sorted(Path(echochamber.__file__).parent.rglob("*.py")):
        for item in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(item, ast.ClassDef):
                places[item.name].append(path.name)
    assert len(places) > 200
    assert {name: where for name, where in places.items() if len(where) > 1} == {}
