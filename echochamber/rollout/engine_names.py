"""Names of engines, so that a recipe is checked without loading any of them."""

from ..core.errors import UserError
from ..model.settings import AUTO_ENGINE, NATIVE_ENGINE, TRANSFORMERS_ENGINE

_NAMES = [AUTO_ENGINE, NATIVE_ENGINE, TRANSFORMERS_ENGINE]


def add_engine_name(name: str) -> None:
    """Make a name known; `UserError` where it is taken."""
    if name in _NAMES:
        raise UserError(f"engine {name!r} is registered already; choose another name")
    _NAMES.append(name)


def check_engine_name(name: str) -> None:
    """`UserError` with the known names where this is none of them."""
    if name not in _NAMES:
        raise UserError(f"runtime.engine {name!r} is not known; there are {', '.join(_NAMES)}")
