"""The product's heart: batches, streams and their state."""
