"""Sinks for the metrics logs, one file each: they take what `metrics.jsonl` and `timing.jsonl` hold."""
