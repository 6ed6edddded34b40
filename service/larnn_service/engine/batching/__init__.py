"""The queue, what goes into a run, and how it runs."""
