"""The grammar of recipe files as a JSON schema, by which editors complete and check them.

It is that of `Recipe`, with what a file may say besides: `extends`, `scopes`, `inherits` and `preset`, counts
with a unit, one value where a list is meant, and YAML's `off`. Nothing is required but a name, since a file
may rest on another. What depends on several keys is checked when a recipe is read.

    python -m echochamber.study.recipe_schema      writes the shipped file anew
"""

import ast
import inspect
import json
import textwrap
from collections.abc import Iterator

from pydantic import BaseModel

from ..core.config import Config
from ..core.files import write_text
from ..rl.presets import RL_PRESETS
from .recipe import Recipe
from .recipe_files import schema_path

Schema = dict[str, object]


def recipe_schema() -> Schema:
    """The schema, as the shipped file has it."""
    schema = Recipe.model_json_schema()
    definitions = schema.pop("$defs")
    models = {model.__name__: model for model in _models(Config)}
    for name, definition in (*definitions.items(), ("Recipe", schema)):
        definition.pop("required", None)
        properties = definition.get("properties", {})
        explained = _field_docs(models[name]) if name in models else {}
        definition["properties"] = {
            key: _property(value, explained.get(key)) for key, value in properties.items()
        }
    _extend(definitions["RLConfig"], inherits={"type": "string"}, preset={"enum": list(RL_PRESETS)})
    _extend(
        definitions["PromptConfig"], suffix={"type": "string"}, document_suffix={"type": ["string", "null"]}
    )
    _extend(definitions["MixtureConfig"], named={"type": "string"}, real={"type": "boolean"})
    keys = {key: {"$ref": f"#/properties/{key}"} for key in schema["properties"]}
    scope = {"type": "object", "properties": keys, "additionalProperties": False}
    _extend(
        schema,
        extends={
            "type": "string",
            "description": "A shipped recipe, or the path of one, that this one changes.",
        },
        scopes={
            "type": "object",
            "additionalProperties": scope,
            "description": "Named parts to lay over it.",
        },
    )
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Recipe of echochamber"}
    return head | schema | {"required": ["name"], "$defs": definitions}


def schema_text() -> str:
    """The shipped file's content."""
    return json.dumps(recipe_schema(), indent=1, ensure_ascii=False) + "\n"


def _models(base: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for model in base.__subclasses__():
        yield model
        yield from _models(model)


def _extend(definition: Schema, **properties: Schema) -> None:
    known = definition["properties"]
    assert isinstance(known, dict), "an object's schema"
    known.update(properties)


def _property(found: Schema, explained: str | None) -> Schema:
    """A key's schema as a file may write it, with its explanation."""
    written = _written({name: value for name, value in found.items() if name != "title"})
    return written | {"description": explained} if explained else written


def _written(found: Schema) -> Schema:
    """`seeds: 0` is a list of one, `off` is false in YAML; an example file's path stands for its rows."""
    items = found.get("items")
    if found.get("type") == "array" and isinstance(items, dict):
        one: list[Schema] = (
            [{"type": "string"}] if items.get("$ref") == "#/$defs/Example" else _scalars(items)
        )
        kept = {name: value for name, value in found.items() if name in ("default", "description")}
        array = {name: value for name, value in found.items() if name not in kept}
        return kept | {"anyOf": [array, *one]} if one else found
    words = found.get("enum")
    if isinstance(words, list) and "off" in words:
        return found | {
            "enum": [*words, *([True] if "on" in words else []), False],
            "type": ["string", "boolean"],
        }
    choices = found.get("anyOf")
    if isinstance(choices, list):
        return found | {"anyOf": [_written(choice) for choice in choices]}
    return found


def _scalars(items: Schema) -> list[Schema]:
    """The items that may stand alone: numbers and texts."""
    choices = items.get("anyOf")
    inner = choices if isinstance(choices, list) else [items]
    return [one for one in inner if one.get("type") in ("string", "integer", "number") or "enum" in one]


def _field_docs(model: type[BaseModel]) -> dict[str, str]:
    """Field -> the text under it, in the model and those it inherits from."""
    found: dict[str, str] = {}
    for base in reversed(model.__mro__):
        if issubclass(base, Config) and base is not Config:
            (tree,) = ast.parse(textwrap.dedent(inspect.getsource(base))).body
            assert isinstance(tree, ast.ClassDef), "the source of a class"
            for field, text in zip(tree.body, tree.body[1:], strict=False):
                if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr):
                    found[ast.unparse(field.target)] = " ".join(str(ast.literal_eval(text.value)).split())
    return found


if __name__ == "__main__":
    write_text(schema_path(), schema_text())
