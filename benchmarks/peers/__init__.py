"""The servers that the service is measured beside, one file each: how to install, start and ask.

What runs inside each is in `benchmarks/servers/`. All run the same graph with the same session
options, one thread a run, as many workers as there are cores, batching where the server has it.
"""
