"""Live streams through a rolling restart and a scale-out: where they are at the end."""
