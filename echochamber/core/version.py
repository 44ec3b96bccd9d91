"""The package's version, in its own module: rooms read it without importing the public interface."""

__version__ = "0.1.0"
