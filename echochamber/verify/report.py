"""What `doctor` says about grading on this machine: tiers and layers, on or off, and why."""

from ..core.errors import UserError
from .programs import Program
from .sandbox.lockdown import REQUIRED, available_layers
from .sandbox.locked import LockedPool
from .sandbox.monty import MontyPool
from .sandbox.result import SandboxLimits
from .symbolic import Algebra

_LAYER_MEANING = {
    "limits": "CPU time, memory, no written bytes, few open files",
    "no_new_privs": "no privileges to gain, root's given up",
    "landlock": "reads below the library folders only",
    "seccomp": "no network, processes, signals or tracing",
    "namespaces": "a network of its own that is empty; a bonus",
}


def sandbox_report() -> list[tuple[str, str, str]]:
    """Rows (name, state, detail): both tiers, each layer of the second, the algebra worker.

    State is `on`, `off` or `missing`; takes a second or two, because it tries each of them.
    """
    layers = available_layers()
    rows = [("sandbox tier 1", *_try_monty())]
    locked = all(layers[name] for name in REQUIRED)
    rows.append(
        (
            "sandbox tier 2",
            *(
                _try_locked()
                if locked
                else ("off", "cannot be locked down here; sympy programs are unsupported")
            ),
        )
    )
    rows += [(f"layer {name}", state or "missing", _LAYER_MEANING[name]) for name, state in layers.items()]
    return [*rows, ("algebra worker", *_try_algebra())]


def _try_monty() -> tuple[str, str]:
    try:
        pool = MontyPool(SandboxLimits(), workers=1)
    except UserError as error:
        return "off", str(error)
    result = pool.run(Program(("6 * 3",)))
    pool.close()
    return ("on", "Monty, a fresh session per program") if result.text == "18" else ("off", result.detail)


def _try_locked() -> tuple[str, str]:
    pool = LockedPool(SandboxLimits())
    result = pool.run(Program(("import sympy\nsympy.Integer(18)",)))
    pool.close()
    return (
        ("on", "full Python with sympy in a locked-down process")
        if result.text == "18"
        else ("off", result.detail)
    )


def _try_algebra() -> tuple[str, str]:
    algebra = Algebra(seconds=10.0)
    try:
        same = algebra.means_same("2\\sqrt{2}", "\\sqrt{8}")
    except OSError as error:
        return "off", str(error)
    finally:
        algebra.close()
    return ("on", "math-verify out of process") if same else ("off", "gave a wrong answer")
