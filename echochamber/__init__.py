"""echochamber: what does reinforcement learning do to behaviours learned in pretraining?

    import echochamber as ec

    study = ec.run_study("smoke")
    study.tables["scores"]

Every name below is loaded when it is first used: importing the package loads neither torch nor polars.
Each is documented with an example in docs/api.md.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from .core.version import __version__

if TYPE_CHECKING:
    from .api import Study, evaluate, forecast, grade, load_checkpoint, run_study, sample, train_rl
    from .claims.registry import register_claim
    from .core.environments import register_environment
    from .core.errors import UserError
    from .core.formats import Format, register_format
    from .core.traits import Trait, register_trait
    from .data.registered_sources import register_source
    from .data.sources import Document
    from .rl.algorithms import Algorithm, register_algorithm
    from .rollout.engines import register_engine
    from .rollout.rewards import register_reward
    from .study.recipe import load_recipe

_MODULES = {
    "Algorithm": "rl.algorithms",
    "Document": "data.sources",
    "Format": "core.formats",
    "Study": "api",
    "Trait": "core.traits",
    "UserError": "core.errors",
    "evaluate": "api",
    "forecast": "api",
    "grade": "api",
    "load_checkpoint": "api",
    "load_recipe": "study.recipe",
    "register_algorithm": "rl.algorithms",
    "register_claim": "claims.registry",
    "register_engine": "rollout.engines",
    "register_environment": "core.environments",
    "register_format": "core.formats",
    "register_reward": "rollout.rewards",
    "register_source": "data.registered_sources",
    "register_trait": "core.traits",
    "run_study": "api",
    "sample": "api",
    "train_rl": "api",
}
"""Public name -> the module that has it."""

__all__ = [
    "Algorithm",
    "Document",
    "Format",
    "Study",
    "Trait",
    "UserError",
    "__version__",
    "evaluate",
    "forecast",
    "grade",
    "load_checkpoint",
    "load_recipe",
    "register_algorithm",
    "register_claim",
    "register_engine",
    "register_environment",
    "register_format",
    "register_reward",
    "register_source",
    "register_trait",
    "run_study",
    "sample",
    "train_rl",
]


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_MODULES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
