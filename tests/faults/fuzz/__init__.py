"""Generated inputs for every door of a running service: python -m tests.faults.fuzz."""
