"""The package's version, apart from the package itself: rooms may read it without importing the public list."""

__version__ = "0.1.0"
