"""`python -m echochamber`, which `torchrun -m echochamber` needs too."""

from .cli.app import main

if __name__ == "__main__":
    main()
