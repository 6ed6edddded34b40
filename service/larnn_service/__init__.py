"""The inference service: what runs in production. It reads models/ and never imports torch."""

import os

__version__ = "0.1.0"

# onnxruntime has telemetry, with a thread of its own and an id in the temporary folder, unless it
# is told not to before it is imported. Nobody is told here who serves what.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
