"""RL post-training: one loop, algorithms as rows, and what a step consists of."""
