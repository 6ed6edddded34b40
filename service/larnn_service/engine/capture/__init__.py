"""Capture: what streams sent and were answered, kept in files that can be trained on."""
