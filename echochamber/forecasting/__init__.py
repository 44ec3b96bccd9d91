"""What RL will amplify in a model, simulated from a table of its behaviours before it is trained."""
