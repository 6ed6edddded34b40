"""What runs a graph, and where models come from."""
