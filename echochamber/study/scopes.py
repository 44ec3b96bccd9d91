"""Named scopes of a recipe: `scopes: {smoke: {...}, core: {...}}`, of which one is laid over the rest."""

from collections.abc import Mapping

from ..core.errors import UserError


def merge(base: Mapping[str, object], over: Mapping[str, object]) -> dict[str, object]:
    """`over` laid over `base`: mappings are joined key by key, everything else is replaced."""
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        merged[key] = merge(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged


def take_scope(overrides: list[str]) -> tuple[str | None, list[str]]:
    """The scope among `KEY=VALUE` overrides (the last one given), and the other overrides."""
    chosen = [text.partition("=")[2] for text in overrides if text.startswith("scope=")]
    return (chosen[-1] if chosen else None), [text for text in overrides if not text.startswith("scope=")]


def lay_scope(data: Mapping[str, object], chosen: str | None, source: str) -> dict[str, object]:
    """The recipe with one scope laid over it and `scopes` gone; overrides of single keys come after.

    Without a choice the recipe's own `scope` is taken; a recipe with neither stays as it is.
    """
    scopes, rest = data.get("scopes"), {key: value for key, value in data.items() if key != "scopes"}
    if scopes is None:
        if chosen is not None:
            raise UserError(f"{source}: scope={chosen} was asked for, but this recipe has no scopes")
        return rest
    if not isinstance(scopes, dict) or not all(isinstance(value, dict) for value in scopes.values()):
        raise UserError(
            f"{source}: 'scopes' must map names to mappings of keys, "
            "for example scopes: {smoke: {seeds: [0]}}"
        )
    name = chosen if chosen is not None else rest.get("scope")
    if name is None:
        return rest
    if not isinstance(name, str) or name not in scopes:
        raise UserError(f"{source}: scope is {name!r}; allowed are {', '.join(map(str, scopes))}")
    return merge(rest, scopes[name]) | {"scope": name}
