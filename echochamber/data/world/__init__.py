"""Generated word problems with exact answers and known intermediate values."""
