"""Attacks on a running service, and what must hold meanwhile: python -m tests.faults.attack."""
