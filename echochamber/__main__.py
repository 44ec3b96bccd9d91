"""`python -m echochamber` is the console script."""

from .cli import main

main()
