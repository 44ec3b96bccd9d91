"""The modules of a user that this process has imported, so that a recipe can name a function in one."""

from collections.abc import Callable
from types import ModuleType

from .errors import UserError

_MODULES: dict[str, ModuleType] = {}
"""File name without `.py` -> module."""


def remember_module(stem: str, module: ModuleType) -> None:
    """Make the functions of an imported module known under its file's name without `.py`."""
    _MODULES[stem] = module


def user_function(name: str) -> Callable[..., object]:
    """The function `MODULE:FUNCTION`; `UserError` where no imported module has it.

    Only modules that were imported before are looked at: a name never imports anything.
    """
    stem, _, attribute = name.partition(":")
    if stem not in _MODULES:
        known = ", ".join(_MODULES) or "none"
        raise UserError(f"{name!r}: no module {stem!r} is named under 'modules'; there are {known}")
    functions: dict[str, Callable[..., object]] = {
        key: value for key, value in vars(_MODULES[stem]).items() if callable(value)
    }
    if attribute not in functions:
        public = ", ".join(key for key in functions if key[0] != "_") or "none"
        raise UserError(f"{name!r}: {stem}.py has no such function; it has {public}")
    return functions[attribute]
