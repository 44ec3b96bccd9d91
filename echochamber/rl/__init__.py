"""The RL room: one loop, algorithms as rows, and what a step consists of."""
