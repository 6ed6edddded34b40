"""One file for each endpoint: decode, run, encode."""
