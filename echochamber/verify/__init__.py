"""One grader: the format of a completion, its program's result, its answer, and whether that is right."""
