"""The engine in C: what a step of training or sampling spends its time in, for CPUs that multiply bf16.

Optional. It is built with the machine's own compiler on first use and kept in the user's cache folder; where
there is no compiler or no AVX-512-BF16, everything runs in plain PyTorch. `library` builds and declares,
`weights` lays weights out, `trunk` and `head` are the differentiable functions, `decode` samples.
"""
