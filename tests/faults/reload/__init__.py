"""Versions of a model that come and go while the service answers."""
