"""Which versions of which models serve."""
