"""The generated pages of the documentation site: keys of recipes and the Python interface.

python benchmarks/docs_reference.py keys       # prints the page of recipe keys
python benchmarks/docs_reference.py python     # prints the page that mkdocstrings fills
"""

import argparse
import json
import re
import sys
from pathlib import Path
from typing import cast

ROOT = Path(__file__).parents[1]
SCHEMA = ROOT / "echochamber" / "recipes" / "recipe.schema.json"
Schema = dict[str, object]

_KEYS_HEAD = """# Recipe keys

Every key of a recipe, from `recipe.schema.json`. [Recipes](../recipes.md) explains how they work together.
NAME stands for a name of your own. Where a list is meant, one value is a list of one. Some rules concern
several keys; they are checked when a recipe is read.
"""

_PYTHON_HEAD = """# Python reference

Every name that `import echochamber` offers, from its docstring. [Python interface](../api.md) has an
example of each. `echochamber.__version__` is the version.
"""


def keys_page() -> str:
    """Markdown: one table for the recipe itself and one for each block of settings."""
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    definitions = schema["$defs"]
    places = block_places(schema)
    parts = [_KEYS_HEAD, "## Top level\n", _table(schema, places)]
    for name, found in places.items():
        others = [f"`{place}`" for place in found[1:]]
        parts.append(f"## {found[0]}\n")
        if text := definitions[name].get("description"):
            parts.append(_one_line(text) + "\n")
        if others:
            parts.append(f"The same keys hold under {', '.join(others)}.\n")
        parts.append(_table(definitions[name], places))
    return "\n".join(parts)


def block_places(schema: Schema) -> dict[str, list[str]]:
    """Definition -> dotted places in a recipe where it holds, in the order in which keys are declared."""
    definitions = cast("dict[str, Schema]", schema["$defs"])
    found: dict[str, list[str]] = {}

    def visit(node: Schema, place: str) -> None:
        for key, value in cast("dict[str, Schema]", node.get("properties", {})).items():
            if key == "scopes":
                continue  # the recipe's own keys once more
            for name, ending in _references(value):
                inner = f"{place}{key}{ending}"
                known = found.setdefault(name, [])
                if inner not in known:
                    known.append(inner)
                    if len(known) == 1:
                        visit(definitions[name], f"{inner}.")

    visit(schema, "")
    return found


def _references(node: Schema) -> list[tuple[str, str]]:
    """Definitions that a key's schema names, each with what stands after the key in a dotted place."""
    if "$ref" in node:
        return [(str(node["$ref"]).rsplit("/", 1)[1], "")]
    found: list[tuple[str, str]] = []
    for choice in cast("list[Schema]", node.get("anyOf", [])):
        found += _references(choice)
    if isinstance(items := node.get("items"), dict):
        found += _references(items)
    if isinstance(values := node.get("additionalProperties"), dict):
        found += [(name, f".NAME{ending}") for name, ending in _references(values)]
    return found


def _table(node: Schema, places: dict[str, list[str]]) -> str:
    rows = ["| key | values | default | meaning |", "|---|---|---|---|"]
    for key, value in cast("dict[str, Schema]", node.get("properties", {})).items():
        cells = (f"`{key}`", values(value, places), _default(value), _one_line(value.get("description", "")))
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(rows) + "\n"


def values(node: Schema, places: dict[str, list[str]]) -> str:
    """What a key takes, in words; blocks of settings are links to their tables."""
    if "$ref" in node:
        name = str(node["$ref"]).rsplit("/", 1)[1]
        if name not in places:  # a scope holds any key of the recipe
            return "as at the top level"
        heading = places[name][0]
        return f"[{heading}](#{slug(heading)})"
    if "anyOf" in node:
        choices = cast("list[Schema]", node["anyOf"])
        items: list[object] = []
        for choice in choices:
            if isinstance(item := choice.get("items"), dict):
                items += item.get("anyOf", [item])
        return " or ".join(dict.fromkeys(values(one, places) for one in choices if one not in items))
    if "enum" in node:
        return ", ".join(f"`{_written(word)}`" for word in cast("list[object]", node["enum"]))
    if "const" in node:
        return f"`{_written(node['const'])}`"
    if node.get("type") == "array":
        items = node.get("items")
        return f"list of {values(items, places)}" if isinstance(items, dict) else "list"
    if node.get("type") == "object":
        inner = node.get("additionalProperties")
        return f"NAME: {values(inner, places)}" if isinstance(inner, dict) else "mapping"
    kind = node.get("type", "any")
    kinds = kind if isinstance(kind, list) else [kind]
    return " or ".join(map(str, kinds)) + _bounds(node)


def _bounds(node: Schema) -> str:
    signs = {
        "minimum": "at least",
        "exclusiveMinimum": "above",
        "maximum": "at most",
        "exclusiveMaximum": "below",
    }
    said = [f"{words} {node[key]}" for key, words in signs.items() if key in node]
    return f", {' and '.join(said)}" if said else ""


def _default(node: Schema) -> str:
    if "default" not in node:
        return ""
    default = node["default"]
    return "see its table" if isinstance(default, dict) and default else f"`{_written(default)}`"


def _written(value: object) -> str:
    return json.dumps(value, ensure_ascii=False) if not isinstance(value, str) or not value.strip() else value


def _one_line(text: object) -> str:
    return " ".join(str(text).split())


def slug(heading: str) -> str:
    """The anchor that the site and GitHub give to a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")


def python_page() -> str:
    """Markdown: one directive of mkdocstrings for each public name."""
    sys.path.insert(0, str(ROOT))
    import echochamber

    names = [name for name in echochamber.__all__ if name in echochamber._MODULES]
    functions = sorted(name for name in names if name[0].islower())
    classes = sorted(name for name in names if not name[0].islower())

    def directives(group: list[str]) -> str:
        return "\n".join(f"::: echochamber.{echochamber._MODULES[name]}.{name}\n" for name in group)

    return f"{_PYTHON_HEAD}\n## Functions\n\n{directives(functions)}\n## Classes\n\n{directives(classes)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("page", choices=["keys", "python"])
    print(keys_page() if parser.parse_args().page == "keys" else python_page(), end="")


if __name__ == "__main__":
    main()
