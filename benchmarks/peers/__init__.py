"""The servers beside which the service is measured, one file each: how to install, start and ask
it, and below that what runs inside it.

All run the same graph with the same session options: one thread a run, as many workers as there are
cores, batching where the server has it. What runs inside stands under `if SERVING == NAME`, as its
packages are installed in the peer's environment alone; that environment has numpy and onnxruntime,
and nothing of the project but this folder is imported there.
"""
