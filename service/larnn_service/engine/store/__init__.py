"""Where streams are stored."""
