"""The scorer's side: reasoning-gym's `score_answer` on a model's answer, in a locked-down process.

Several of the library's scores evaluate the answer as Python or sympy text. So the process is locked down,
or nothing is scored.
"""

import json
import logging
import math
from typing import TYPE_CHECKING

from .sandbox.worker import serve, take_streams
from .symbolic_worker import lock

if TYPE_CHECKING:
    from reasoning_gym.dataset import ProceduralDataset

_DATASETS: "dict[str, ProceduralDataset]" = {}


def main() -> None:
    """Import the library, lock down, serve."""
    import reasoning_gym  # noqa: F401  (read before the file system is closed)

    logging.disable(logging.CRITICAL)
    streams = take_streams()
    serve(streams, handle, " ".join(lock()))


def handle(payload: bytes) -> bytes:
    """JSON `{dataset, options, row, answer}` -> the score as text; `?` where the library cannot say."""
    try:
        asked = json.loads(payload)
        score = float(
            _dataset(asked["dataset"], asked["options"]).score_answer(asked["answer"], asked["row"])
        )
        return repr(score).encode() if math.isfinite(score) else b"?"
    except (Exception, RecursionError):  # noqa: BLE001  (untrusted text; any failure is "cannot say")
        return b"?"


def _dataset(name: str, options: dict[str, object]) -> "ProceduralDataset":
    from reasoning_gym.factory import create_dataset

    key = json.dumps([name, options], sort_keys=True)
    if key not in _DATASETS:
        _DATASETS[key] = create_dataset(name, seed=0, size=1, **options)
    return _DATASETS[key]


if __name__ == "__main__":
    main()
