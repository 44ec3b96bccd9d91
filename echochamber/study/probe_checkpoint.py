"""Probe one checkpoint outside a study, alone or compared with a reference."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..core.artifacts import Spec, Store
from ..core.checksums import hash_file
from ..core.errors import UserError
from ..core.files import make_folder
from ..data.columns import ProblemColumns
from ..data.rows import OnBadRow
from ..model.load_model import take_engine
from ..model.runtime import start_runtime
from ..model.settings import RuntimeConfig
from ..rollout.demonstrations import read_demonstrations
from ..rollout.engine_names import engine_remarks
from ..rollout.sample_and_grade import Labels
from ..stages import probe as probing
from ..stages.settings import PROBE_VERSION, ProbeConfig
from .checkpoint_context import checkpoint_context
from .checkpoints import find_checkpoint, hash_checkpoint, step_of
from .named_problems import named_problems, short_name, that_fit
from .sittings import sitting


def probe_checkpoint(
    checkpoint: str,
    reference: str | None,
    problems: str,
    completions: Path | None,
    out: Path | None,
    settings: Mapping[str, object],
    limit: int | None,
    seed: int,
    on_bad_row: OnBadRow = "error",
    world: str | None = None,
    runtime: RuntimeConfig | None = None,
    columns: ProblemColumns | None = None,
) -> tuple[Path, list[dict[str, Any]]]:
    """(artifact folder, summary rows). A finished probe of the same settings is read, not repeated.

    Settings that are None, the world, the formats and the modules are those of the checkpoint's study.
    """
    places = [find_checkpoint(place) for place in (checkpoint, reference) if place is not None]
    context = checkpoint_context(places[0], world, settings)
    runtime = take_engine(runtime or RuntimeConfig(), places[0])
    with context.formats():
        config = ProbeConfig.parse(context.complete(settings), "probe")
        openings = config.forced()
    demonstrations = read_demonstrations(completions) if completions else []
    name = short_name(problems)
    chosen = named_problems(problems, limit, on_bad_row, context, columns)
    for place in places:
        chosen = that_fit(place, chosen, config.prompt_suffix, config.prompt, config.max_new_tokens, runtime)
    if not chosen:
        raise UserError(
            f"{problems}: no problem fits the model's positions with max_new_tokens {config.max_new_tokens}"
        )
    inputs = {f"checkpoint {i}": hash_checkpoint(place) for i, place in enumerate(places)}
    inputs |= dict(context.modules) | ({"completions": hash_file(completions)} if completions else {})
    ids = [[p.id, p.question, p.reference] for p in chosen]
    what = {
        "probe": config.identity(),
        "openings": openings,
        "problems": ids,
        "seed": seed,
        "runtime": runtime.identity(),
    } | context.identity()
    store = Store(make_folder(out or Path("runs") / f"probe-{name}"))
    spec = Spec("probe", what, PROBE_VERSION, {}, inputs)

    def write(partial: Path) -> None:
        first, *rest = [probing.Checkpoint(step_of(place), place) for place in places]
        with sitting(partial), context.formats():
            probing.probe(
                config,
                first,
                rest[0] if rest else None,
                demonstrations,
                {name: chosen},
                partial,
                start_runtime(runtime),
                Labels("checkpoint", seed),
            )

    artifact = store.build(spec, write, {"seed": seed}, remarks=engine_remarks(runtime))
    return artifact, json.loads((artifact / "summary.json").read_text(encoding="utf-8"))
