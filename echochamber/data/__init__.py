"""What a model is trained on: the world, styles, sources, mixture plan, token shards. No torch."""
