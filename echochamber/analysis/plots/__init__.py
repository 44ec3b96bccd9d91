"""Figures for papers: one function each, from tables to a matplotlib figure; PNG and SVG by `save`.

They are readable in a two-column paper and in greyscale. Formats differ by hatch, marker and dash as well
as by colour. Bands carry their names.
"""

from .save import save_figures

__all__ = ["save_figures"]
