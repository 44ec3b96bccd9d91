"""What all packages share: types, the format registry, config, artifacts, logs. No torch."""
