"""What is put around a network's nodes so that the service can run them; it needs no torch."""
