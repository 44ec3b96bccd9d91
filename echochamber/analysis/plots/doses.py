"""Which mixtures of a study differ in the copies of one source alone: the paper's Figures 4 and 5."""

from collections.abc import Mapping

from ..study_folder import JsonObject


def copies_series(mixtures: Mapping[str, JsonObject | None]) -> dict[str, dict[float, str]]:
    """Source -> copies -> mixture, for sources of which some mixtures hold other copies and all else alike.

    `mixtures` are those of the resolved recipe. Where a source has several such series, the longest is kept.
    """
    found: dict[tuple[str, str], dict[float, str]] = {}
    for name, mixture in mixtures.items():
        sources = (mixture or {}).get("sources") or {}
        for source, settings in sources.items():
            copies = (settings or {}).get("copies")
            if copies is None:
                continue
            rest = {other: value for other, value in sources.items() if other != source}
            own = {key: value for key, value in settings.items() if key != "copies"}
            found.setdefault((source, repr((sorted(rest.items()), sorted(own.items())))), {})[
                float(copies)
            ] = name
    longest: dict[str, dict[float, str]] = {}
    for (source, _), series in found.items():
        if len(series) > max(1, len(longest.get(source, {}))):
            longest[source] = dict(sorted(series.items()))
    return longest
