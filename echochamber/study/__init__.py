"""A recipe becomes a graph of stages, and the graph is run."""
