"""Kinds of completions, found from their structure without being told (`echochamber discover`)."""
