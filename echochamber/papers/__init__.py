"""Papers whose claims are judged here, one folder each."""
