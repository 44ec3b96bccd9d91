"""Numbers on arrays: pass@k, maj@k, intervals. NumPy only."""
