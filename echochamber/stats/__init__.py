"""Estimators and intervals over plain NumPy arrays; a missing value stays missing.

- `pass_at_k`, `majority`: from sample counts of one problem to pass@k and maj@k.
- `intervals`: Wilson, Student t over seeds, Holm.
- `bootstrap`: resampling of whole problems, paired differences.
- `counts`: completions counted per problem.
- `summary`: all of it for one checkpoint on one problem set.
"""
