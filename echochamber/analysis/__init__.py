"""From tables to figures, verdicts and one page. No torch, no grading."""
