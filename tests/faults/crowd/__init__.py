"""Many streams, and clients beside them that flood or never read."""
