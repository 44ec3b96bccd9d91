"""A pytest plugin: the engine in C computes in bf16 on any x86 CPU with AVX2, slowly."""

import torch

torch.cpu._is_avx512_bf16_supported = lambda: True
