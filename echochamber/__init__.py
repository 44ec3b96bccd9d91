"""echochamber: what does reinforcement learning do to behaviours learned in pretraining?"""

__version__ = "0.1.0"
