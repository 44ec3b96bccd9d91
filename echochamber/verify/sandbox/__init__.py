"""Running untrusted programs: Monty first, a locked-down process for what Monty cannot run."""
