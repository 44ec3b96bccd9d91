"""Echo Chamber (arXiv 2504.07912): its 22 claims as declarations, and the page of their results."""
