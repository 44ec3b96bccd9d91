"""Sample, grade, turn into tensors."""
