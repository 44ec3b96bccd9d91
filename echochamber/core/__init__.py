"""What travels between rooms: types, the format registry, config, artifacts, logs. No torch."""
