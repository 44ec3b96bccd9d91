"""The engine in C: what a step of training or sampling spends its time in, for CPUs that multiply bf16.

Optional. A wheel may hold it compiled (`prebuilt`). Else it is built with the machine's own compiler on first
use and kept in the user's cache folder. Without either, everything runs in plain PyTorch. `library` builds,
loads and declares, `weights` lays weights out, `trunk` and `head` are the differentiable functions, `decode`
samples.
"""
