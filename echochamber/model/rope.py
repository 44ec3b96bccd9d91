"""Rotary position embeddings: the tables of angles, also at scaled frequencies, and the rotation.

Axes: T positions, C head size.
"""

import math

import torch
from torch import Tensor

from .config import ModelConfig, RopeScaling


def rope_tables(config: ModelConfig, length: int) -> tuple[Tensor, Tensor]:
    """Cosine and sine of the rotary angles, each (length, C), float32 (Su et al. 2021, eq. 34).

    Halves are paired (i, i + C/2) as in Hugging Face's decoders, not interleaved.
    """
    half = torch.arange(0, config.head_size, 2, dtype=torch.float64) / config.head_size
    frequencies = config.rope_theta**-half
    if config.rope_scaling is not None:
        frequencies = scaled_frequencies(frequencies, config.rope_scaling)
    angles = torch.outer(torch.arange(length, dtype=torch.float64), frequencies)
    angles = torch.cat([angles, angles], dim=-1)
    return angles.cos().float(), angles.sin().float()


def scaled_frequencies(frequencies: Tensor, scaling: RopeScaling) -> Tensor:
    """Angles per position (C/2,) after scaling.

    `linear`: all divided by the factor (Chen et al. 2023, position interpolation). `llama3`: wavelengths
    up to P / high stay, those above P / low are stretched by the factor, with a linear blend between
    (Llama 3.1; P = `original_max_positions`).
    """
    stretched = frequencies / scaling.factor
    if scaling.kind == "linear":
        return stretched
    turns = scaling.original_max_positions * frequencies / (2 * math.pi)
    low, high = scaling.low_freq_factor, scaling.high_freq_factor
    share = ((turns - low) / (high - low)).clamp(0, 1)
    return (1 - share) * stretched + share * frequencies


def rotate(heads: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Apply rotary embeddings to (..., T, C) with tables that broadcast against it."""
    first, second = heads.chunk(2, dim=-1)
    return heads * cos + torch.cat([-second, first], dim=-1) * sin
