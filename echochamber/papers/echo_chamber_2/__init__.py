"""Echo Chamber (arXiv 2504.07912), version 2: the same 22 claims under neutral updates, with premises."""
