"""Streams: their state, order, fairness and checkpoints."""
