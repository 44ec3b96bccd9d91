"""Tensors in, tensors out: logprobs and KL, advantages, losses, schedules. Torch only."""
